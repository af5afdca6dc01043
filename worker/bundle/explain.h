/* explain.h: prints what a program of the plan may see and use, one fact a line:
 *
 *   step metro, phase bundle
 *   network no
 *   mount ro /usr /usr
 *   env NODE_ENV=production
 *   ...
 *
 * Every line about mounts, environment and the command is read off the command line that the
 * sandbox itself would run. Main thread. */
#pragma once

#include "plan.h"
#include "sandbox.h"

#include <base/err.h>
#include <runner.h>
#include <stdio.h>

/* What stands for the mounts that only a build knows: node_modules and, where one fits, the shared
 * layer; where an entry of the cache is made, its folder. */
const struct sandbox_mount *explain_extra(const struct step *step, size_t *ret_n);

/* One program. */
MUST_USE int explain_step(const struct runner_settings *s, const struct step *step, FILE *to);

/* Every step of `phase`, or the step of that name; "all": all. RUNNER_UNUSABLE: there is none. */
MUST_USE int explain(const struct runner_settings *s, const char *phase, FILE *to);
