/* s3_call.c: see s3_call.h. A handle of libcurl keeps its connection, so up to S3_HANDLES of them
 * are kept for the next call. Whether one may be made, and how they go: s3_health.c. */
#include "edge/s3_call.h"

#include "edge/s3_impl.h"

#include <base/clock.h>
#include <base/log.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TRIES = 3,
    PAUSE_MS_FIRST = 200,
    CONNECT_MS_MAX = 3000,
    CALL_MS_MAX = 5000,
    SLOW_BYTES = 1024, /* a second, for so many seconds: a stalled read ends */
    SLOW_S = 10,
    EXPIRES_S = 300,
    REFUSAL_BYTES_MAX = 1024,
    HEADERS_MAX = PRESIGN_PAIRS_MAX + 1,
};

/* ---- made and freed ---- */

static bool endpoint_is_safe(const char *endpoint)
{
    static const char *const loopback[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    if (strncmp(endpoint, "https://", 8) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(loopback); i++) {
        size_t n = strlen(loopback[i]);
        if (strncmp(endpoint, loopback[i], n) == 0 && (!endpoint[n] || endpoint[n] == ':'))
            return true;
    }
    return false;
}

static int refuse(const char *why, const char *hint)
{
    log_error("artifacts.refused", "why=\"%s\" hint=\"%s\"", why, hint);
    return S3_REFUSED;
}

static int parts_copy(struct s3 *s, const struct s3_config *config)
{
    size_t n = strlen(config->endpoint);
    while (n && config->endpoint[n - 1] == '/')
        n--;
    s->bucket = strdup(config->bucket);
    s->endpoint = strndup(config->endpoint, n);
    s->region = strdup(config->region);
    s->credentials = strdup(config->credentials);
    return s->bucket && s->endpoint && s->region && s->credentials ? 0 : err_raise(-ENOMEM);
}

/* A configuration that cannot sign is seen here and not at the first upload. */
static int try_to_sign(struct s3 *s)
{
    char url[PRESIGN_URL_MAX];
    struct s3_ask ask = {.method = "HEAD", .name = ""};
    return s3_url(s, &ask, clock_wall_ms(), url) == 0
               ? 0
               : refuse("endpoint, bucket or region is not of its form",
                        "--s3-endpoint https://HOST[:PORT], --artifacts s3://BUCKET[/PREFIX]");
}

int s3_new(const struct s3_config *config, struct s3 **ret_s3)
{
    AUTO(s3) s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    if (!s)
        return err_raise(-ENOMEM);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stopped, &attr);
    pthread_condattr_destroy(&attr);
    int r = parts_copy(s, config);
    if (r < 0)
        return err_pass(r);
    if (!endpoint_is_safe(s->endpoint))
        return refuse("the endpoint of the artifact store is no https URL",
                      "use https://; http:// is for loopback alone");
    r = s3_key_read(s->credentials, &s->key);
    if (r == 0)
        r = try_to_sign(s);
    if (r == 0)
        *ret_s3 = TAKE(s);
    return r < 0 ? err_pass(r) : (r ? S3_REFUSED : 0);
}

struct s3 *s3_free(struct s3 *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->idle_n; i++)
        curl_easy_cleanup(s->idle[i]);
    sodium_memzero(&s->key, sizeof s->key);
    pthread_cond_destroy(&s->stopped);
    pthread_mutex_destroy(&s->lock);
    free(s->bucket);
    free(s->endpoint);
    free(s->region);
    free(s->credentials);
    free(s);
    return NULL;
}

void s3_stop(struct s3 *s)
{
    pthread_mutex_lock(&s->lock);
    s->stops = true;
    pthread_cond_broadcast(&s->stopped);
    pthread_mutex_unlock(&s->lock);
}

void s3_reload(struct s3 *s)
{
    struct presign_key key;
    char why[160];
    int r = s3_key_read(s->credentials, &key);
    if (r < 0)
        log_warn("artifacts.credentials_kept", "why=\"%s\"", err_trace(why, sizeof why));
    if (r != 0)
        return;
    pthread_mutex_lock(&s->lock);
    s->key = key;
    pthread_mutex_unlock(&s->lock);
    log_info("artifacts.credentials_read", "id=%.4s...", key.id);
    sodium_memzero(&key, sizeof key);
}

/* ---- signing ---- */

int s3_url(struct s3 *s, const struct s3_ask *ask, uint64_t now_ms, char url[PRESIGN_URL_MAX])
{
    char path[512];
    int n = snprintf(path, sizeof path, "/%s%s%s", s->bucket, *ask->name ? "/" : "", ask->name);
    if (n < 0 || (size_t)n >= sizeof path)
        return S3_REFUSED;
    struct presign p = {.method = ask->method,
                        .endpoint = s->endpoint,
                        .region = s->region,
                        .path = path,
                        .now_ms = now_ms,
                        .expires_s = ask->expires_s ? ask->expires_s : EXPIRES_S,
                        .query = ask->query,
                        .header = ask->header,
                        .query_n = ask->query_n,
                        .header_n = ask->header_n};
    pthread_mutex_lock(&s->lock);
    int r = presign_url(&p, &s->key, url);
    pthread_mutex_unlock(&s->lock);
    return r == 0 ? 0 : S3_REFUSED;
}

/* ---- one try ---- */

static CURL *handle_take(struct s3 *s)
{
    pthread_mutex_lock(&s->lock);
    CURL *curl = s->idle_n ? s->idle[--s->idle_n] : NULL;
    pthread_mutex_unlock(&s->lock);
    if (curl)
        curl_easy_reset(curl);
    return curl ? curl : curl_easy_init();
}

static void handle_give(struct s3 *s, CURL *curl)
{
    pthread_mutex_lock(&s->lock);
    bool has_room = s->idle_n < S3_HANDLES;
    if (has_room)
        s->idle[s->idle_n++] = curl;
    pthread_mutex_unlock(&s->lock);
    if (!has_room)
        curl_easy_cleanup(curl);
}

/* One try as libcurl's callbacks see it. */
struct
try {
    struct s3 *s;
    CURL *curl;
    struct s3_body *body;
    size_t sent;
    char refusal[REFUSAL_BYTES_MAX]; /* what came with an error */
    size_t refusal_n;
};

static size_t on_send(char *p, size_t size, size_t n, void *arg)
{
    struct try *t = arg;
    size_t left = t->body->send_n - t->sent, most = size * n < left ? size * n : left;
    memcpy(p, (const char *)t->body->send + t->sent, most);
    t->sent += most;
    return most;
}

static size_t keep(char *to, size_t room, size_t *n, const char *p, size_t more)
{
    size_t most = more < room - *n ? more : room - *n;
    memcpy(to + *n, p, most);
    *n += most;
    return most;
}

static size_t on_receive(char *p, size_t size, size_t n, void *arg)
{
    struct try *t = arg;
    struct s3_body *b = t->body;
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300) {
        keep(t->refusal, sizeof t->refusal - 1, &t->refusal_n, p, size * n);
        return size * n;
    }
    if (b->sink)
        return b->sink(b->arg, p, size * n) == 0 ? size * n : CURL_WRITEFUNC_ERROR;
    if (b->room && keep(b->room, b->room_n, &b->n, p, size * n) < size * n)
        b->is_cut = true;
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct try *t = arg;
    (void)a, (void)b, (void)c, (void)d;
    pthread_mutex_lock(&t->s->lock);
    bool stops = t->s->stops;
    pthread_mutex_unlock(&t->s->lock);
    return stops;
}

/* The headers that were signed, but those that libcurl makes itself. Expect would only cost time.
 */
static struct curl_slist *headers_make(const struct s3_ask *ask)
{
    char line[512];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; list && i < ask->header_n; i++) {
        if (strcmp(ask->header[i].name, "content-length") == 0)
            continue;
        snprintf(line, sizeof line, "%s: %s", ask->header[i].name, ask->header[i].value);
        struct curl_slist *longer = curl_slist_append(list, line);
        if (!longer)
            curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

static void options_set(struct try *t, const struct s3_ask *ask, const char *url,
                        struct curl_slist *headers)
{
    CURL *c = t->curl;
    bool is_streamed = t->body->sink != NULL;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, is_streamed ? 0L : (long)CALL_MS_MAX);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_receive);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    if (strcmp(ask->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (strcmp(ask->method, "PUT") == 0) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(c, CURLOPT_READDATA, t);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->body->send_n);
    } else if (strcmp(ask->method, "GET") != 0) {
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, ask->method);
    }
    if (t->body->range)
        curl_easy_setopt(c, CURLOPT_RANGE, t->body->range);
}

/* The word between <Code> and </Code> of an answer that refuses. */
static void refusal_word(struct try *t, long status, char *why, size_t n)
{
    t->refusal[t->refusal_n] = '\0';
    const char *at = strstr(t->refusal, "<Code>");
    size_t len =
        at ? strspn(at + 6, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") : 0;
    snprintf(why, n, "HTTP %ld %.*s", status, (int)(len < 40 ? len : 40), at ? at + 6 : "");
}

static int answer_judge(struct try *t, CURLcode code, const char *words, char *why, size_t why_n)
{
    struct s3_body *b = t->body;
    struct curl_header *header;
    curl_off_t length = -1;
    long status = 0;
    if (code != CURLE_OK) {
        snprintf(why, why_n, "%s", *words ? words : curl_easy_strerror(code));
        return S3_AWAY;
    }
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    b->length = length > 0 ? (uint64_t)length : 0;
    b->checksum[0] = '\0';
    if (curl_easy_header(t->curl, "x-amz-checksum-sha256", 0, CURLH_HEADER, -1, &header) ==
        CURLHE_OK)
        snprintf(b->checksum, sizeof b->checksum, "%s", header->value);
    if (status >= 200 && status < 300)
        return 0;
    refusal_word(t, status, why, why_n);
    if (status == 404)
        return S3_MISSING;
    return status >= 500 || status == 429 || status == 408 ? S3_AWAY : S3_REFUSED;
}

static int call_once(struct s3 *s, const struct s3_ask *ask, struct s3_body *body, char *why,
                     size_t why_n)
{
    char url[PRESIGN_URL_MAX], words[CURL_ERROR_SIZE] = "";
    struct try t = {.s = s, .body = body};
    if (s3_url(s, ask, clock_wall_ms(), url) != 0) {
        snprintf(why, why_n, "the request cannot be signed");
        return S3_REFUSED;
    }
    t.curl = handle_take(s);
    struct curl_slist *headers = headers_make(ask);
    if (!t.curl || !headers) {
        curl_easy_cleanup(t.curl);
        curl_slist_free_all(headers);
        return err_raise(-ENOMEM);
    }
    body->n = 0;
    body->is_cut = false;
    if (body->restart)
        body->restart(body->arg);
    options_set(&t, ask, url, headers);
    curl_easy_setopt(t.curl, CURLOPT_ERRORBUFFER, words);
    CURLcode code = curl_easy_perform(t.curl);
    int r = answer_judge(&t, code, words, why, why_n);
    curl_slist_free_all(headers);
    /* A handle that failed would resume its TLS session, and with it the certificate of then. */
    if (code == CURLE_OK)
        handle_give(s, t.curl);
    else
        curl_easy_cleanup(t.curl);
    return r;
}

/* ---- all tries ---- */

/* False: the process is about to stop. */
static bool pause_wait(struct s3 *s, unsigned tries)
{
    struct timespec until;
    uint64_t ms = (uint64_t)PAUSE_MS_FIRST << tries;
    ms = ms / 2 + randombytes_uniform((uint32_t)ms);
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms * 1000000;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    int r = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->stops && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&s->stopped, &s->lock, &until);
    bool stops = s->stops;
    pthread_mutex_unlock(&s->lock);
    return !stops;
}

int s3_call(struct s3 *s, const struct s3_ask *ask, struct s3_body *body)
{
    char why[CURL_ERROR_SIZE + 64] = "";
    int r = S3_AWAY;
    for (unsigned i = 0; i < TRIES && r == S3_AWAY; i++) {
        uint64_t token;
        if ((i && !pause_wait(s, i - 1)) || !s3_call_begin(s, &token))
            return S3_AWAY;
        r = call_once(s, ask, body, why, sizeof why);
        s3_call_end(s, token, body, r, why);
    }
    if (r == S3_AWAY || s3_is_refusal(body, r))
        log_warn("artifacts.call_failed", "method=%s name=%s why=\"%s\"", ask->method, ask->name,
                 why);
    return r < 0 ? err_pass(r) : r;
}
