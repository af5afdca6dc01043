/* spool.h: the last words of each running job, outside the database.
 *
 * The last 256 KiB of a job's log, 256 MiB in all, as small ring files under DATA/spool; they
 * survive a restart of the broker. The whole log becomes an artifact when the job ends. Any thread.
 */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPOOL_JOB_BYTES_MAX = 256 << 10,
    SPOOL_JOBS_MAX = 1024,
    SPOOL_AGE_MS_MAX = 3600000, /* kept after the last word */
};

struct spool;
MUST_USE int spool_open(const char *dir, uint64_t now_ms, struct spool **ret_spool);
struct spool *spool_free(struct spool *s);
DEFINE_FREEP(spool)

/* Appends; *ret_size is how many bytes the job has said so far. When there are SPOOL_JOBS_MAX jobs
 * the one that has been silent for longest gives way. */
MUST_USE int spool_append(struct spool *s, struct job_id job, uint64_t now_ms, const void *p,
                          size_t n, uint64_t *ret_size);

struct spool_piece {
    uint64_t offset; /* of the piece; later than asked when the beginning was dropped */
    uint64_t size;   /* all that the job has said */
    size_t n;
};
/* At most `max` bytes from `offset` on; nothing (n 0) for a job that never spoke. */
MUST_USE int spool_read(struct spool *s, struct job_id job, uint64_t offset, void *p, size_t max,
                        struct spool_piece *ret_piece);

/* Drops what has been silent for SPOOL_AGE_MS_MAX. */
void spool_sweep(struct spool *s, uint64_t now_ms);
