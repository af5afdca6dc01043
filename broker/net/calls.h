/* calls.h: stands between nng and four system calls. See calls.c for why. */
#pragma once

#include <nng/nng.h>
#include <stdbool.h>

/* True when nng's calls really go through ours. */
bool calls_are_guarded(void);

/* Off only in the test that shows why it is on. Before the first pipe comes. */
void calls_guard(bool is_on);

/* The descriptor of an ipc or tcp pipe, which stays its own until the pipe's removal was reported.
 * -1: unknown, because it is a tls pipe or nothing is guarded. */
int calls_fd(nng_pipe pipe);
