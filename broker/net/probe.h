/* probe.h: asks one listener the way a stranger would: over a plain socket, without nng.
 *
 * Blocks for at most `timeout_ms`, or until `stop_fd` is readable. */
#pragma once

#include <base/err.h>
#include <stdint.h>
#include <sys/socket.h>

enum probe_outcome {
    PROBE_SILENT = 1, /* somebody is there and does not serve */
    PROBE_REFUSED,    /* nobody listens */
    PROBE_STOPPED,
};

/* 0: the listener took a ping with this request id through its whole receive path and answered. */
MUST_USE int probe_ping(const struct sockaddr *address, socklen_t address_n, uint64_t request_id,
                        uint32_t timeout_ms, int stop_fd);

/* 0: somebody accepts and greets. Never just connects and closes: that is what kills a listener of
 * nng 1.5.2. */
MUST_USE int probe_hello(const struct sockaddr *address, socklen_t address_n, uint32_t timeout_ms,
                         int stop_fd);

/* 0: somebody accepts. All that can be asked of TLS without a certificate. */
MUST_USE int probe_connect(const struct sockaddr *address, socklen_t address_n, uint32_t timeout_ms,
                           int stop_fd);
