/* transfer.c: libcurl carries; here is what it carries, how often, and when to stop.
 *
 * The URL says itself which headers were signed with it (X-Amz-SignedHeaders): those that name the
 * object's hash are filled in from the transfer, and a URL that wants any other header is refused.
 */
#include "transfer.h"

#include "transfer_host.h"

#include <base/auto.h>
#include <base/clock.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIES = 5,
    PAUSE_MS_FIRST = 250,
    CONNECT_MS_MAX = 5000,
    SLOW_BYTES = 1024, /* a second, for so many seconds: a stalled try ends */
    SLOW_S = 30,
    HOST_MAX = 256,
    REFUSAL_BYTES_MAX = 1024,
    HEX_LEN = 64,
};

bool transfer_is_for(const char *url)
{
    return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
}

/* One try as libcurl's callbacks see it. */
struct
try {
    struct transfer *t;
    CURL *curl;
    uint64_t done;
    int outcome; /* that one of them found; 0: none */
    crypto_hash_sha256_state hash;
    char refusal[REFUSAL_BYTES_MAX];
    size_t refusal_n;
};

/* ---- the URL ---- */

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

/* Its host; false: no URL for us. */
static bool url_check(const char *url, char host[HOST_MAX])
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *name = NULL, *user = NULL;
    bool is_good =
        parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &name, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
        strlen(name) < HOST_MAX &&
        (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(name)));
    if (is_good)
        snprintf(host, HOST_MAX, "%s", name);
    curl_free(scheme);
    curl_free(name);
    curl_free(user);
    curl_url_cleanup(parts);
    return is_good;
}

/* The next of the names that were signed, up to ';' (here still "%3B"); false: none is left. */
static bool signed_next(const char **at, const char **ret_name, size_t *ret_n)
{
    const char *end = *at + strcspn(*at, "&"), *cut = strstr(*at, "%3B");
    if (**at == '\0' || **at == '&')
        return false;
    *ret_name = *at;
    *ret_n = (size_t)((cut && cut < end ? cut : end) - *at);
    *at += *ret_n;
    if (cut && cut < end)
        *at += 3;
    return true;
}

static struct curl_slist *header_add(struct curl_slist *list, const char *name, const char *value)
{
    char line[160];
    snprintf(line, sizeof line, "%s: %s", name, value);
    return curl_slist_append(list, line);
}

/* The headers that the URL was signed with; NULL: it wants one that we do not know, or no memory.
 */
static struct curl_slist *headers_make(const struct transfer *t)
{
    static const char mark[] = "X-Amz-SignedHeaders=";
    char hex[HEX_LEN + 1] = "", base64[48] = "";
    const char *at = strstr(t->url, mark), *name;
    size_t n;
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (t->sha256) {
        sodium_bin2hex(hex, sizeof hex, t->sha256, 32);
        sodium_bin2base64(base64, sizeof base64, t->sha256, 32, sodium_base64_VARIANT_ORIGINAL);
    }
    for (at = at ? at + strlen(mark) : ""; list && signed_next(&at, &name, &n);) {
        struct curl_slist *longer = list;
        if (n == 20 && strncmp(name, "x-amz-content-sha256", n) == 0)
            longer = header_add(list, "x-amz-content-sha256", hex);
        else if (n == 21 && strncmp(name, "x-amz-checksum-sha256", n) == 0)
            longer = header_add(list, "x-amz-checksum-sha256", base64);
        else if (!(n == 4 && strncmp(name, "host", n) == 0) &&
                 !(n == 14 && strncmp(name, "content-length", n) == 0))
            longer = NULL;
        if (!longer)
            curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

/* ---- what libcurl calls ---- */

static size_t on_send(char *p, size_t size, size_t n, void *arg)
{
    struct try *y = arg;
    uint64_t left = y->t->size - y->done, most = size * n;
    ssize_t got = pread(y->t->fd, p, left < most ? left : most, (off_t)y->done);
    if (got < 0 || (got == 0 && left)) {
        y->outcome = TRANSFER_LOCAL;
        y->t->error = got < 0 ? errno : EIO;
        return CURL_READFUNC_ABORT;
    }
    y->done += (uint64_t)got;
    return (size_t)got;
}

static size_t refusal_keep(struct try *y, const char *p, size_t n)
{
    size_t room = sizeof y->refusal - 1 - y->refusal_n, most = n < room ? n : room;
    memcpy(y->refusal + y->refusal_n, p, most);
    y->refusal_n += most;
    return n;
}

static size_t on_receive(char *p, size_t size, size_t n, void *arg)
{
    struct try *y = arg;
    struct transfer *t = y->t;
    long status = 0;
    curl_easy_getinfo(y->curl, CURLINFO_RESPONSE_CODE, &status);
    n *= size;
    if (status >= 300)
        return refusal_keep(y, p, n);
    if (y->done + n > t->size_max) {
        y->outcome = TRANSFER_TOO_LARGE;
        return CURL_WRITEFUNC_ERROR;
    }
    for (size_t at = 0; at < n;) {
        ssize_t put = pwrite(t->fd, p + at, n - at, (off_t)(y->done + at));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            y->outcome = TRANSFER_LOCAL;
            t->error = errno;
            return CURL_WRITEFUNC_ERROR;
        }
        at += (size_t)put;
    }
    crypto_hash_sha256_update(&y->hash, (const uint8_t *)p, n);
    y->done += n;
    return n;
}

/* What a PUT is answered, but an error, is of no interest. */
static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
    return refusal_keep(arg, p, size * n);
}

/* Does somebody want us to stop, within so long? */
static bool stop_waits(int stop_fd, int wait_ms)
{
    struct pollfd p = {.fd = stop_fd, .events = POLLIN};
    return poll(&p, stop_fd >= 0, wait_ms) > 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct try *y = arg;
    (void)a, (void)b, (void)c, (void)d;
    if (y->t->progress)
        y->t->progress(y->t->arg, y->done);
    if (!stop_waits(y->t->stop_fd, 0))
        return 0;
    y->outcome = TRANSFER_STOPPED;
    return 1;
}

/* ---- one try ---- */

static void options_set(struct try *y, bool is_put, struct curl_slist *headers)
{
    CURL *c = y->curl;
    curl_easy_setopt(c, CURLOPT_URL, y->t->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, y);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, is_put ? on_answer : on_receive);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, y);
    if (!is_put)
        return;
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
    curl_easy_setopt(c, CURLOPT_READDATA, y);
    curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)y->t->size);
}

/* What an error's body calls itself: letters between <Code> and </Code>. */
static void refusal_say(struct try *y, long status)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    y->refusal[y->refusal_n] = '\0';
    const char *at = strstr(y->refusal, "<Code>");
    int n = at ? (int)strspn(at + 6, letters) : 0;
    snprintf(y->t->why, sizeof y->t->why, "the store answers %ld %.*s", status, n,
             at ? at + 6 : "");
}

static int status_judge(struct try *y)
{
    long status = 0;
    curl_easy_getinfo(y->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300)
        return 0;
    refusal_say(y, status);
    if (status == 404)
        return TRANSFER_GONE;
    return status >= 500 || status == 408 || status == 429 ? TRANSFER_AWAY : TRANSFER_REFUSED;
}

static int got_check(struct try *y)
{
    uint8_t sha256[32];
    crypto_hash_sha256_final(&y->hash, sha256);
    bool is_whole = y->t->size == UINT64_MAX || y->done == y->t->size;
    if (is_whole && (!y->t->sha256 || memcmp(sha256, y->t->sha256, sizeof sha256) == 0))
        return 0;
    snprintf(y->t->why, sizeof y->t->why, "%llu bytes came, which are not the object's",
             (unsigned long long)y->done);
    return TRANSFER_MISMATCH;
}

static int try_judge(struct try *y, bool is_put, CURLcode code, const char *words)
{
    if (y->outcome)
        return y->outcome;
    if (code == CURLE_OK) {
        int r = status_judge(y);
        return r == 0 && !is_put ? got_check(y) : r;
    }
    /* A store that refuses while the body is still on its way may cut the line. */
    int r = is_put ? status_judge(y) : 0;
    long status = 0;
    curl_easy_getinfo(y->curl, CURLINFO_RESPONSE_CODE, &status);
    if (r && status >= 400)
        return r;
    snprintf(y->t->why, sizeof y->t->why, "%s", *words ? words : curl_easy_strerror(code));
    return code == CURLE_OUT_OF_MEMORY ? err_raise(-ENOMEM) : TRANSFER_AWAY;
}

static int try_once(struct transfer *t, bool is_put)
{
    char words[CURL_ERROR_SIZE] = "";
    struct try y = {.t = t, .curl = curl_easy_init()};
    struct curl_slist *headers = headers_make(t);
    int r;
    crypto_hash_sha256_init(&y.hash);
    if (!y.curl || !headers) {
        r = y.curl ? TRANSFER_BAD_URL : err_raise(-ENOMEM);
    } else if (!is_put && ftruncate(t->fd, 0) < 0) {
        t->error = errno;
        r = TRANSFER_LOCAL;
    } else {
        options_set(&y, is_put, headers);
        curl_easy_setopt(y.curl, CURLOPT_ERRORBUFFER, words);
        r = try_judge(&y, is_put, curl_easy_perform(y.curl), words);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(y.curl);
    return r;
}

/* ---- all tries ---- */

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* False: stop. */
static bool pause_wait(const struct transfer *t, unsigned tries)
{
    uint32_t ms = (uint32_t)PAUSE_MS_FIRST << tries;
    return !stop_waits(t->stop_fd, (int)(ms / 2 + randombytes_uniform(ms)));
}

static int transfer_run(struct transfer *t, bool is_put)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char host[HOST_MAX];
    int r = TRANSFER_AWAY;
    pthread_once(&once, global_init);
    t->why[0] = '\0';
    t->error = 0;
    if (!url_check(t->url, host)) {
        snprintf(t->why, sizeof t->why, "the address is no https URL");
        return TRANSFER_BAD_URL;
    }
    for (unsigned i = 0; i < TRIES && r == TRANSFER_AWAY; i++) {
        uint64_t wait_ms = transfer_host_wait_ms(host, clock_boot_ms());
        if (wait_ms) {
            snprintf(t->why, sizeof t->why, "%s failed too often and is left alone for %llu ms",
                     host, (unsigned long long)wait_ms);
            return TRANSFER_AWAY;
        }
        if (i && !pause_wait(t, i - 1))
            return TRANSFER_STOPPED;
        r = try_once(t, is_put);
        if (r == TRANSFER_AWAY)
            transfer_host_fault(host, clock_boot_ms());
        else if (r == 0 || r == TRANSFER_GONE || r == TRANSFER_REFUSED)
            transfer_host_good(host);
    }
    if (r == TRANSFER_BAD_URL)
        snprintf(t->why, sizeof t->why,
                 "the address wants headers that this version does not know");
    return r < 0 ? err_pass(r) : r;
}

int transfer_put(struct transfer *t)
{
    return transfer_run(t, true);
}

int transfer_get(struct transfer *t)
{
    return transfer_run(t, false);
}
