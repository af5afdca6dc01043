/* source_keys.h: the keys that open the sealed sources of jobs, one slot a job, in a file of their
 * own beside the database: DATA/keys/source.keys, 0600.
 *
 * What was once in the database can be read from its freed pages and from every backup of it; a
 * slot here is overwritten in place when the job needs its source no more, and with it goes the
 * source, whatever copies of the sealed object there are. The file is never part of a backup: after
 * a restore the jobs that had a slot end with SOURCE_GONE. In RAM stand ids only, never a key.
 * Thread-safe. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <base/id.h>
#include <seal.h>
#include <stddef.h>

struct source_keys;

enum { SOURCE_KEYS_MAX = 1 << 18 }; /* jobs with a sealed source at once */

enum source_keys_outcome {
    SOURCE_KEYS_REFUSED = 1, /* the file is not ours; logged with what to do about it */
    SOURCE_KEYS_MISSING,
    SOURCE_KEYS_FULL, /* SOURCE_KEYS_MAX */
};

MUST_USE int source_keys_open(const char *data_dir, struct source_keys **ret_keys);
struct source_keys *source_keys_free(struct source_keys *k);
DEFINE_FREEP(source_keys)

/* Sets one slot aside, with its room on the disk and in memory, so that source_keys_put() finds
 * both: a disk that is full refuses a publish here and fails no commit there. */
MUST_USE int source_keys_reserve(struct source_keys *k);
void source_keys_unreserve(struct source_keys *k, size_t n);

/* Each takes a slot that was reserved (the reservation stays the caller's), or lets one go by
 * overwriting it; absent is fine. On the disk with the next source_keys_flush(). */
MUST_USE int source_keys_put(struct source_keys *k, struct job_id job,
                             const uint8_t key[SEAL_KEY_BYTES]);
MUST_USE int source_keys_destroy(struct source_keys *k, struct job_id job);
MUST_USE int source_keys_flush(struct source_keys *k);

/* SOURCE_KEYS_MISSING. The caller wipes ret_key. */
MUST_USE int source_keys_get(struct source_keys *k, struct job_id job,
                             uint8_t ret_key[SEAL_KEY_BYTES]);

/* Calls `is_gone` for each job that has a slot here and lets those go for which it says so: what a
 * crash between slot and commit left. *ret_gone: how many. */
typedef bool source_keys_is_gone(void *arg, struct job_id job);
MUST_USE int source_keys_sweep(struct source_keys *k, source_keys_is_gone *is_gone, void *arg,
                               size_t *ret_gone);
