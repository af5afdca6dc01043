/* verdict.h: what the end of a step means for the build. */
#pragma once

#include "work.h"

/* `outcome` and `status` are sandbox_step()'s. 0: the step did what it should; WORK_ENDED: the
 * result has the error. */
MUST_USE int verdict_step(struct work *w, const struct step *s, int outcome, int status);

/* The lines that say why, out of the end of a tool's output: npm's own error lines, else the last
 * ones. Pure. */
void verdict_gist(const char *tail, char *to, size_t size);
