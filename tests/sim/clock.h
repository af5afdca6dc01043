/* clock.h: the time of a simulated world. It moves only when the world jumps to what is due next or
 * a commit is slow. The machine's two clocks are made from it: the wall clock may be stepped, the
 * boot clock begins anew when the machine does. */
#pragma once

#include "engine/engine.h"

struct sim_clock {
    uint64_t now_ms;       /* since the world began; never steps */
    uint64_t wall_ms;      /* Unix time when it began, as the wall clock has it now */
    uint64_t wall_ms_most; /* the latest that it ever had */
    uint64_t booted_at_ms; /* on the first clock */
};

enum { CLOCK_FIRST_BOOT_MS = 5000 }; /* the boot clock when a broker can first run */

static inline struct now clock_read(const struct sim_clock *c)
{
    return (struct now){.wall_ms = c->wall_ms + c->now_ms,
                        .boot_ms = CLOCK_FIRST_BOOT_MS + c->now_ms - c->booted_at_ms};
}

static inline void clock_step_wall(struct sim_clock *c, int64_t by_ms)
{
    c->wall_ms += (uint64_t)by_ms;
    if (c->wall_ms > c->wall_ms_most)
        c->wall_ms_most = c->wall_ms;
}

/* To the latest time that it ever showed: what waits for a time of day waits no longer. */
static inline void clock_set_right(struct sim_clock *c)
{
    clock_step_wall(c, (int64_t)(c->wall_ms_most - c->wall_ms));
}

static inline void clock_reboot(struct sim_clock *c)
{
    c->booted_at_ms = c->now_ms;
}
