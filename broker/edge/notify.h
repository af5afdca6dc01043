/* notify.h: tells whoever started us that we are ready. At start; any thread later. */
#pragma once

/* Writes "ready\n" to the descriptor and closes it. */
void notify_fd(int fd);

/* systemd's protocol: one datagram to $NOTIFY_SOCKET, e.g. "READY=1"; nothing when that is not set.
 */
void notify_systemd(const char *state);
