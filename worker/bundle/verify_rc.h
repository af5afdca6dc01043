/* verify_rc.h: the last part of the phase verify: the .npmrc of the app's workspace, if there
 * is one. */
#pragma once

#include "work.h"

/* Has it read in the sandbox, and keeps in w->rc what the operator allows. Its settings become a
 * part of the key of caches. As a phase. */
MUST_USE int verify_rc(struct work *w);
