/* waiter.h: a worker that already waits when the broker comes back: its lease call is on its way
 * before there is anybody to take it.
 *
 * librota dials a lost broker again after a pause of up to 100 ms and more, which would hide the
 * broker's own time behind the dice; this one dials every millisecond. One call, one thread. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <stdint.h>

struct waiter;
MUST_USE int waiter_new(const char *url, const void *request, size_t n, struct waiter **ret_waiter);
struct waiter *waiter_free(struct waiter *w);
DEFINE_FREEP(waiter)

/* Waits for the reply: when it came (clock_boot_ns()), and its bytes, which stay the waiter's.
 * -ETIMEDOUT. */
MUST_USE int waiter_wait(struct waiter *w, uint64_t *ret_came_ns, const void **ret_reply,
                         size_t *ret_n);
