/* artifacts.h: the store of sources and of what builds leave: objects named class/account/sha256.
 *
 * One interface, two stores: files under one folder (artifacts_local.c), and a bucket of an
 * S3-compatible service (artifacts_s3.c). A writer gets a URL that is good for one object of one
 * size and hash and one hour; artifacts_take() checks what came and makes it the object. What may
 * take the time of a network trip in a bucket is marked (slow); the rest is quick in both. Any
 * thread, but the same object only on one at a time (vet.c sees to that). */
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
    INCOMING_MAX = 10000,                    /* uploads that wait at once */
    INCOMING_AGE_MS_MAX = 3600000,           /* how long a URL is good */
    CLOCK_SKEW_MS_MAX = 300000,              /* by so much two looks at a clock may differ */
    UNCLAIMED_AGE_MS_MAX = 24 * 3600 * 1000, /* what was uploaded and never named goes then */
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
    ARTIFACTS_AWAY,        /* the store cannot be reached, or refuses us: again later */
    ARTIFACTS_ENVIRONMENT, /* the root belongs to another environment */
    ARTIFACTS_FULL,        /* the disk has no room for it */
    ARTIFACTS_LATE,        /* it came after its URL had expired */
    ARTIFACTS_AHEAD,       /* its URL was given at a time that is still to come */
};

/* A folder, made when it is not there. `adopts`: a root that holds objects and no marker is taken
 * for this environment's own. ARTIFACTS_ENVIRONMENT. */
MUST_USE int artifacts_open_local(const char *dir, const char *environment, bool adopts,
                                  struct artifacts **ret_artifacts);
struct artifacts_s3_config {
    const char *url;      /* "s3://BUCKET[/PREFIX]" */
    const char *endpoint; /* "https://HOST[:PORT]"; http on loopback alone */
    const char *region;
    const char *credentials; /* a place of secrets.h */
    const char *environment;
};
/* ARTIFACTS_ENVIRONMENT; ARTIFACTS_MISMATCH: the configuration cannot be used, logged with what to
 * do. A bucket that cannot be reached now is no reason to refuse: until its marker was read, every
 * call says ARTIFACTS_AWAY, and ARTIFACTS_ENVIRONMENT once it was read and is not ours. (slow) */
MUST_USE int artifacts_open_s3(const struct artifacts_s3_config *config,
                               struct artifacts **ret_artifacts);
struct artifacts *artifacts_free(struct artifacts *a);
DEFINE_FREEP(artifacts)

/* Whose root it is, after ARTIFACTS_ENVIRONMENT; of the last open in this thread. */
const char *artifacts_owner(void);
/* Can callers on other hosts use its URLs? */
bool artifacts_are_remote(const struct artifacts *a);
/* Ends the waits of calls under way: the process is about to stop. */
void artifacts_stop(struct artifacts *a);
/* Reads the credentials anew; what is wrong is logged, and the old ones stay. */
void artifacts_reload(struct artifacts *a);
/* How full the disk below is, in percent; 0: none that we know of. */
unsigned artifacts_full_percent(struct artifacts *a);

/* How a store is: quick in both. */
enum artifacts_state {
    ARTIFACTS_OK,
    ARTIFACTS_IS_AWAY,   /* faults in a row have opened the breaker */
    ARTIFACTS_REFUSED,   /* the service refuses us: credentials, rights */
    ARTIFACTS_UNREACHED, /* the marker was not read yet */
    ARTIFACTS_FOREIGN,   /* it belongs to another environment */
};
struct artifacts_health {
    enum artifacts_state state;
    uint8_t breaker; /* enum breaker_state; as all below, of a bucket */
    uint32_t faults;
    uint64_t open_ms;  /* so long it will still be left alone */
    uint64_t since_ms; /* Unix time; no call has gone well since then */
    char why[192];     /* what the service said last, or whose it is and is not */
};
void artifacts_health(struct artifacts *a, struct artifacts_health *ret_health);

/* "bundle"; NULL for a kind that is none. */
const char *artifact_class(Rota__ObjectKind kind);

/* Makes a place for one upload and gives its URL. ARTIFACTS_TOO_MANY, ARTIFACTS_FULL. */
MUST_USE int artifacts_invite(struct artifacts *a, const struct artifact_id *id, uint64_t size,
                              uint64_t now_ms, char url[ARTIFACT_URL_MAX]);

/* Size of a stored object. ARTIFACTS_MISSING. (slow) */
MUST_USE int artifacts_find(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size);

/* What an uploaded file must be. */
struct artifact_check {
    uint64_t size, size_max; /* size UINT64_MAX: any up to size_max */
    const uint8_t *blake2b;  /* NULL: not looked at */
};
/* Finds the upload, checks it, makes it durable under its name. ARTIFACTS_MISSING,
 * ARTIFACTS_MISMATCH, ARTIFACTS_TOO_LARGE; *ret_size is the object's, also when it is too large.
 * ARTIFACTS_LATE, ARTIFACTS_AHEAD: files alone; a bucket's service refuses those by itself.
 * (slow) */
MUST_USE int artifacts_take(struct artifacts *a, const struct artifact_id *id,
                            const struct artifact_check *check, uint64_t *ret_size);

/* Where a reader finds the object, for an hour. */
MUST_USE int artifacts_url(struct artifacts *a, const struct artifact_id *id, uint64_t now_ms,
                           char url[ARTIFACT_URL_MAX]);

/* At most n bytes from `offset`. ARTIFACTS_MISSING. (slow) */
MUST_USE int artifacts_read(struct artifacts *a, const struct artifact_id *id, uint64_t offset,
                            void *p, size_t n, size_t *ret_n);

/* Absent is fine. (slow) */
MUST_USE int artifacts_drop(struct artifacts *a, const struct artifact_id *id);

/* Removes invitations that nobody used for an hour, or that are CLOCK_SKEW_MS_MAX ahead of now, and
 * uploads that came before now_ms - `age_ms` and were never named. (slow) */
MUST_USE int artifacts_sweep_incoming(struct artifacts *a, uint64_t now_ms, uint64_t age_ms);

/* Where a walk over all stored objects stands. All zero: at its beginning. */
enum { ARTIFACTS_PLACE_MAX = 1536 };
struct artifacts_place {
    int kind;                     /* Rota__ObjectKind */
    char at[ARTIFACTS_PLACE_MAX]; /* in its class, in the store's own words */
    bool is_end;
};
/* Calls `visit` for some of the objects that were stored before now_ms - `age_ms`, and moves the
 * place on. `visit` may drop the object. (slow) */
typedef int artifacts_visit(void *arg, const struct artifact_id *id);
struct artifacts_walk {
    uint64_t now_ms, age_ms;
    artifacts_visit *visit;
    void *arg;
};
MUST_USE int artifacts_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                                 struct artifacts_place *place);
