/* object_kit.h: bytes on their way into a real rotad's local store and out of it again, for tests
 * of sources and bundles. Replies belong to the caller and may hold an error, unless said
 * otherwise. */
#pragma once

#include "broker_kit.h"
#include "seal.h"

enum { BODY_BYTES = 5000 };

/* Some bytes and their hashes. */
struct body {
    uint8_t bytes[BODY_BYTES], sha256[32], blake2b[32];
    char source[80]; /* upload:HEX */
};

/* Random bytes that begin like a sealed source: no two bodies are alike. Needs sodium_init(). */
void body_init(struct body *b);

/* The file that a file:// URL names. */
void url_path(const char *url, char path[PATH_MAX]);
void file_put(const char *url, const void *p, size_t n);
bool file_is(const char *url, const struct body *b);

/* Asks for a place for an object of this size, under the lease or (NULL) for account "maker"; the
 * reply owns the URL. */
Rota__Reply *invite(struct rota_client *c, Rota__LeaseRef *lease, Rota__ObjectKind kind,
                    struct body *b, uint64_t size);
/* Asks and puts the bytes there; must succeed. */
void upload(struct rota_client *c, Rota__LeaseRef *lease, Rota__ObjectKind kind, struct body *b);
Rota__Reply *download(struct rota_client *c, const char *job, Rota__ObjectKind kind,
                      Rota__LeaseRef *lease);

/* The reply's error must have this name; frees the reply. */
void refused(Rota__Reply *reply, const char *name);

/* Leases the bundle job that is next, waiting at most five seconds; the reply owns it. NULL: none
 * came. */
Rota__LeasedJob *lease_bundle(struct rota_client *c, Rota__Reply **ret_reply);
/* A success; `artifact` and `attestation` may be NULL. */
Rota__Reply *finish(struct rota_client *c, Rota__LeaseRef *lease, Rota__Artifact *artifact,
                    Rota__Attestation *attestation);
/* Leases and finishes all bundle jobs that are ready. */
void bundles_drain(struct rota_client *c);

/* Asks until the job's object is refused with this name. */
void await_gone(struct rota_client *c, const char *job, Rota__ObjectKind kind, const char *name);
