/* s3_call.h: the broker's own requests to a bucket: presigned, carried by libcurl, tried again
 * while that can help, and stopped by a breaker while the service is broken.
 *
 * A try has at most CALL_MS_MAX and is made three times, a pause between them that doubles and is
 * spread by chance. Eight faults in a row open the breaker: then every call says S3_AWAY at once
 * for five seconds, one probe goes through, and after each further fault it stays open twice as
 * long, two and a half minutes at most. Any thread; each call blocks its own. */
#pragma once

#include "edge/presign.h"

#include <base/auto.h>
#include <stdbool.h>

struct s3;
struct s3_config {
    const char *bucket, *endpoint, *region;
    const char *credentials; /* a place of secrets.h */
};
enum s3_outcome {
    S3_MISSING = 1, /* no such object, or no such bucket */
    S3_AWAY,        /* not reached, overloaded, or the breaker is open */
    S3_REFUSED,     /* the service says no: to the credentials, or to what was sent */
};

/* S3_REFUSED: endpoint or credentials cannot be used; logged with what to do. */
MUST_USE int s3_new(const struct s3_config *config, struct s3 **ret_s3);
struct s3 *s3_free(struct s3 *s);
DEFINE_FREEP(s3)
/* Calls under way end soon, later ones at once, with S3_AWAY. */
void s3_stop(struct s3 *s);
/* Reads the credentials anew; what is wrong is logged, and those in use stay. */
void s3_reload(struct s3 *s);

/* How its calls go. */
enum { S3_WHY_MAX = 160 };
struct s3_health {
    uint8_t breaker;      /* enum breaker_state */
    uint32_t faults;      /* in a row */
    uint64_t open_ms;     /* so long it will still be left alone */
    bool is_refused;      /* the last call was: credentials, rights */
    uint64_t since_ms;    /* Unix time; no call has gone well since then; 0: the last one has */
    char why[S3_WHY_MAX]; /* of the last that did not */
};
void s3_health(struct s3 *s, struct s3_health *ret_health);

/* A URL for somebody else. `name` is the object's, "" the bucket's own. S3_REFUSED. */
struct s3_ask {
    const char *method, *name;
    const struct presign_pair *query, *header;
    size_t query_n, header_n;
    uint32_t expires_s; /* 0: as short as our own calls need it */
};
MUST_USE int s3_url(struct s3 *s, const struct s3_ask *ask, uint64_t now_ms,
                    char url[PRESIGN_URL_MAX]);

/* What goes and comes with one call. */
typedef int s3_sink(void *arg, const void *p, size_t n); /* 0, or below 0: stop */
struct s3_body {
    const void *send; /* of a PUT */
    size_t send_n;
    bool may_be_refused; /* then that is no news */
    const char *range;   /* "0-65535" of a GET; NULL: all */
    void *room;          /* the answer goes here ... */
    size_t room_n;
    s3_sink *sink; /* ... or there; it hears `restart` before each try */
    void (*restart)(void *arg);
    void *arg;
    /* the answer */
    size_t n;
    bool is_cut;       /* there was more than room for */
    uint64_t length;   /* Content-Length */
    char checksum[64]; /* x-amz-checksum-sha256; "" when the store keeps none */
};
MUST_USE int s3_call(struct s3 *s, const struct s3_ask *ask, struct s3_body *body);
