/* verify_rc.h: the last part of the phase verify: the .npmrc of the app's workspace, and for Yarn 2
 * and later its .yarnrc.yml, if there are any. */
#pragma once

#include "work.h"

/* Has them read in the sandbox, and keeps in w->rc what the operator allows. Their settings become
 * a part of the key of caches. As a phase. */
MUST_USE int verify_rc(struct work *w);
