/* artifacts.h: the local artifact store: files under one folder, named class/account/sha256.
 *
 * A writer gets a folder of its own, incoming/TOKEN/, whose name cannot be guessed, and puts its
 * file "object" there; artifacts_take() checks the file and moves it to its name. Any thread, but
 * the same object only on one at a time (the vetting thread). */
#pragma once

#include "rota.pb-c.h"

#include <base/auto.h>
#include <base/err.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    INCOMING_MAX = 10000,          /* uploads that wait at once */
    INCOMING_AGE_MS_MAX = 3600000, /* then they are swept away; also how long a URL is good */
    ARTIFACT_URL_MAX = 3 * PATH_MAX + 8,
};

/* Names one object. */
struct artifact_id {
    Rota__ObjectKind kind;
    const char *account; /* its own id; charset as limits.def has it, so it is a safe file name */
    uint8_t sha256[32];
};

struct artifacts;
enum artifacts_outcome {
    ARTIFACTS_MISSING = 1, /* no such object, or nothing was uploaded */
    ARTIFACTS_MISMATCH,    /* what was uploaded is something else */
    ARTIFACTS_TOO_MANY,    /* INCOMING_MAX */
    ARTIFACTS_TOO_LARGE,   /* than size_max, when any size up to it would do */
};

MUST_USE int artifacts_open(const char *dir, struct artifacts **ret_artifacts);
struct artifacts *artifacts_free(struct artifacts *a);
DEFINE_FREEP(artifacts)

/* "bundle"; NULL for a kind that is none. */
const char *artifact_class(Rota__ObjectKind kind);

/* Makes a place for one upload and gives its URL. ARTIFACTS_TOO_MANY. */
MUST_USE int artifacts_invite(struct artifacts *a, const struct artifact_id *id,
                              char url[ARTIFACT_URL_MAX]);

/* Size of a stored object. ARTIFACTS_MISSING. */
MUST_USE int artifacts_find(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size);

/* What an uploaded file must be. */
struct artifact_check {
    uint64_t size, size_max; /* size UINT64_MAX: any up to size_max */
    const uint8_t *blake2b;  /* NULL: not looked at */
};
/* Finds the upload, checks it, makes it durable under its name. ARTIFACTS_MISSING,
 * ARTIFACTS_MISMATCH, ARTIFACTS_TOO_LARGE; *ret_size is the object's, also when it is too large. */
MUST_USE int artifacts_take(struct artifacts *a, const struct artifact_id *id,
                            const struct artifact_check *check, uint64_t *ret_size);

/* Where a reader on this host finds the object. */
void artifacts_url(struct artifacts *a, const struct artifact_id *id, char url[ARTIFACT_URL_MAX]);

/* At most n bytes from `offset`. ARTIFACTS_MISSING. */
MUST_USE int artifacts_read(struct artifacts *a, const struct artifact_id *id, uint64_t offset,
                            void *p, size_t n, size_t *ret_n);

/* Absent is fine. */
MUST_USE int artifacts_drop(struct artifacts *a, const struct artifact_id *id);

/* Removes uploads that were never taken. */
MUST_USE int artifacts_sweep_incoming(struct artifacts *a, uint64_t now_ms);

/* Calls `visit` for each stored object that is older than INCOMING_AGE_MS_MAX. `visit` may drop it.
 */
typedef int artifacts_visit(void *arg, const struct artifact_id *id);
MUST_USE int artifacts_walk(struct artifacts *a, uint64_t now_ms, artifacts_visit *visit,
                            void *arg);
