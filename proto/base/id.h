/* id.h: the name of a job.
 *
 * Sixteen bytes in the shape of a UUIDv7: 48 bits of Unix milliseconds, then a counter, then random
 * bits. Ids from one source rise strictly, also when the clock steps back, so that the job table is
 * appended in key order. Text form: "job_" and 26 characters of lower-case Crockford base32 (the
 * alphabet without i, l, o, u), the first of them 0-7. Pure: clock and randomness are arguments. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { JOB_ID_TEXT_LEN = 30 };

struct job_id {
    uint8_t b[16];
};

/* Writes 30 characters and a NUL; returns `text`. */
char *job_id_text(struct job_id id, char text[JOB_ID_TEXT_LEN + 1]);

enum job_id_outcome { JOB_ID_INVALID = 1 };

/* JOB_ID_INVALID: not of the text form; *ret_id is untouched. */
MUST_USE int job_id_parse(const char *text, struct job_id *ret_id);

/* The milliseconds inside. */
uint64_t job_id_ms(struct job_id id);

/* The id after `last`: its time is the later of `wall_ms` and last's; `random` fills the tail. */
struct job_id job_id_next(struct job_id last, uint64_t wall_ms, const uint8_t random[6]);

/* The least id above `id`. */
static inline struct job_id job_id_after(struct job_id id)
{
    for (int i = 15; i >= 0 && ++id.b[i] == 0; i--)
        ;
    return id;
}

static inline int job_id_cmp(struct job_id a, struct job_id b)
{
    return memcmp(a.b, b.b, sizeof a.b);
}

static inline bool job_id_is_zero(struct job_id id)
{
    static const struct job_id zero;
    return job_id_cmp(id, zero) == 0;
}
