/* view_kit.h: what the screen shows in its tests: a busy hour of four tiers, two pools and three
 * workers, at one instant, and the means to change it. */
#pragma once

#include "tui/view.h"

#include <stddef.h>
#include <stdint.h>

#define NOW_MS 1795167065000u /* 2026-11-20T09:31:05Z */

enum { VIEW_NEXTS = 12 };

/* The model and what it points to; each test's own after view_setup(). */
extern struct model model;
extern Rota__StatsResult stats;
extern Rota__TierStats tiers[4];
extern Rota__PoolStats pools[2];
extern Rota__WorkerStats workers[3];
extern Rota__NextJob nexts[VIEW_NEXTS];

/* The busy hour, anew; cmocka's setup. */
int view_setup(void **state);

void tier_fill(int t, uint64_t ready, uint64_t delayed, uint64_t held, uint64_t leased,
               uint64_t oldest_ms);
void pool_fill(int i, const char *name, uint32_t c, uint32_t n, uint64_t ready, uint64_t leased);
/* Job i of the workers: the first has 0 and 1, the second 2 and 3. */
void job_fill(int i, Rota__Tier tier, const char *account, const char *app, const char *phase,
              uint32_t percent, uint64_t running_ms);
/* What comes next: the first n, at most VIEW_NEXTS. */
void nexts_fill(size_t n);
