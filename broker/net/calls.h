/* calls.h: stands between nng and two system calls. See calls.c for why. */
#pragma once

#include <stdbool.h>

/* True when nng's calls really go through ours. */
bool calls_are_guarded(void);

/* Off only in the test that shows why it is on. */
void calls_guard(bool is_on);
