/* s3_impl.h: shared by s3_call.c and s3_health.c alone. */
#pragma once

#include "edge/s3_call.h"
#include "edge/s3_key.h"
#include "sched/breaker.h"

#include <curl/curl.h>
#include <pthread.h>

enum { S3_HANDLES = 5 }; /* one for each thread that calls */

struct s3 {
    char *bucket, *endpoint, *region, *credentials;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t stopped;
    bool stops;
    struct presign_key key;
    struct breaker breaker;
    uint64_t calls; /* the number of one is its token */
    uint64_t since_ms;
    bool is_refused;
    uint32_t faults; /* the breaker forgets them when it opens */
    char why[S3_WHY_MAX];
    CURL *idle[S3_HANDLES];
    size_t idle_n;
};

/* May a call be made now? Then *ret_token is its number, and it is told how it ended. */
bool s3_call_begin(struct s3 *s, uint64_t *ret_token);
void s3_call_end(struct s3 *s, uint64_t token, const struct s3_body *body, int r, const char *why);
/* Did the service say no to what was not meant to be refused? */
bool s3_is_refusal(const struct s3_body *body, int r);
