/* presign.h: signs a URL for one request to an S3-compatible store: AWS Signature Version 4, in the
 * query, so that whoever carries the bytes holds no credentials. Pure; any thread. */
#pragma once

#include <base/err.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRESIGN_ID_MAX = 128,
    PRESIGN_SECRET_MAX = 256,
    PRESIGN_TOKEN_MAX = 2048,
    PRESIGN_URL_MAX = 8192,
    PRESIGN_EXPIRES_S_MAX = 7 * 24 * 3600, /* the protocol's own limit */
    PRESIGN_PAIRS_MAX = 8,
};

/* One credential of the store. `token` is "" but for credentials that are lent for a time. */
struct presign_key {
    char id[PRESIGN_ID_MAX + 1], secret[PRESIGN_SECRET_MAX + 1], token[PRESIGN_TOKEN_MAX + 1];
};

struct presign_pair {
    const char *name, *value;
};

struct presign {
    const char *method;   /* "GET", "HEAD", "PUT" or "DELETE" */
    const char *endpoint; /* "https://HOST[:PORT]" */
    const char *region;
    const char *path; /* "/BUCKET/NAME" of A-Z a-z 0-9 . _ / - alone */
    uint64_t now_ms;  /* Unix time */
    uint32_t expires_s;
    /* Further parts of the query, and headers that the request must carry just so: names in lower
     * case, in the order of their letters, without host (which is always signed). */
    const struct presign_pair *query, *header;
    size_t query_n, header_n;
};

enum presign_outcome { PRESIGN_REFUSED = 1 }; /* something in it is not of its form, or too long */

/* The header x-amz-content-sha256, when it is signed, is what the store checks the body against;
 * without it the body is not part of the signature. */
MUST_USE int presign_url(const struct presign *p, const struct presign_key *key,
                         char url[PRESIGN_URL_MAX]);
