/* standby.h: for each idle slot of a heated pool a Metro that has started already.
 *
 * It is a process in the sandbox of STEP_STANDBY that has loaded what the newest heat build
 * installed, and has seen nothing of any app. A build whose packages and Node are those, whose
 * memory limit is the one it was started with, whose app is at the top of its source and has no
 * variables, takes it over together with its workspace; any other build ends it and starts one of
 * its own. It serves one build and goes with it. Nothing here is a reason for a build to end.
 *
 * Each slot's is touched by that slot's thread alone. */
#pragma once

#include "work.h"

/* The slot has nothing to do: has one ready, if a heat build left what it needs. */
void standby_start(const struct setup *setup, const struct runner_settings *settings,
                   uint32_t slot);
void standby_stop(uint32_t slot);

/* A build begins: w->standby and its space, if the slot has one that may yet fit. */
void standby_take(struct work *w);

/* It is known what the build wants: 0, and node_modules and layers are the standby's; or
 * MODULES_MISS, and there is no standby any more. */
MUST_USE int standby_meets(struct work *w);

/* It is there and did not die meanwhile. */
bool standby_waits(const struct work *w);

/* STEP_BUNDLE, in the process that waits. */
MUST_USE int standby_bundle(struct work *w);

void standby_end(struct work *w);

/* Behind a heat build: the next standbys load what it installed. */
void standby_note(const struct work *w);
