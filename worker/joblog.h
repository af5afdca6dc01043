/* joblog.h: the log of one job on its way to the broker.
 *
 * Appending never blocks. A thread of its own sends chunks of at most 32 KiB: at once when one is
 * full, else a fifth of a second after the first byte, so that a chatty build costs a few messages
 * a second. At most JOBLOG_BYTES wait; when more comes than leaves, the oldest go and a line in the
 * log says how many. A log ends after a number of bytes that its owner gives; what comes after it
 * is left out, and the last line says how much that was. Any thread may append; new, finish and
 * free belong to the slot. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JOBLOG_CHUNK_BYTES = 32 * 1024,
    JOBLOG_BYTES = 256 * 1024,
    JOBLOG_JOB_BYTES_MAX = 64 * 1024 * 1024 /* of one job, from its start to its end */
};

struct joblog;

/* 0: the broker has it. Otherwise nobody wants it any more, and the rest is dropped. */
typedef int joblog_send(void *arg, const void *p, size_t n);

/* `bytes_max`: as many of the job's bytes are sent; the agent's is JOBLOG_JOB_BYTES_MAX. */
MUST_USE int joblog_new(joblog_send *send, void *arg, uint64_t bytes_max, struct joblog **ret_log);
struct joblog *joblog_free(struct joblog *l);
DEFINE_FREEP(joblog)

void joblog_append(struct joblog *l, const void *p, size_t n);

/* Returns when everything was sent, or nobody wants it. Appends after it are dropped. */
void joblog_finish(struct joblog *l);

/* Nobody wants the log any more: forgets what waits, and what still comes. */
void joblog_drop(struct joblog *l);
