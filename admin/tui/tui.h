/* tui.h: the screen of `rota`: feed, model, view and keys put together. Main thread. */
#pragma once

#include "client.h"

/* Before the client is made: its threads must inherit that the signals are ours to read. A
 * descriptor, or <0. */
MUST_USE int tui_signals(void);

/* Runs until the user leaves. Frees `*client` on the way, because calls still in flight end with
 * it. 0; 130 or 143 when a signal ended it; <0: the terminal cannot be used. */
MUST_USE int tui_run(struct rota_client **client, const char *url, int signal_fd);
