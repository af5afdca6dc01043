/* keeping.c: see keeping.h. The copy runs in the sandbox like every program that touches what came
 * from outside, and under the build's own limits and stop. */
#include "keeping.h"

#include "window.h"

#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXTRA_MAX = 4 };

struct keeping {
    const struct work *work;
    struct keeping_order order;
    pthread_t thread;
    struct feedback feedback;
    struct words words;
    int outcome; /* of enum cache_outcome, or a fault */
    bool is_stopped;
    uint64_t ms;
};

static const char *const outcomes[] = {
    [CACHE_MISS] = "it is not there",
    [CACHE_HAVE] = "another worker was quicker",
    [CACHE_LARGE] = "it does not fit beside what is in use; raise --cache-bytes",
    [CACHE_BUSY] = "another worker holds the cache",
    [CACHE_UNUSABLE] = "it is damaged",
};

void keeping_complain(const char *what, enum cache_kind kind, int outcome)
{
    log_warn("cache.dropped", "what=%s kind=%s why=\"%s\" the build goes on without", what,
             cache_kind_name(kind), outcome < 0 ? strerror(-outcome) : outcomes[outcome]);
}

/* ---- the copy's words ---- */

static void on_output(void *arg, const void *p, size_t n)
{
    struct keeping *k = arg;
    words_add(&k->words, p, n);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct keeping *k = arg;
    feedback_line(&k->feedback, line, n, is_cut);
}

/* The copy says neither of these; what it prints stays in the tail. */
static void no_share(void *arg, double share, const char *message)
{
    (void)arg;
    (void)share;
    (void)message;
}

static void no_line(void *arg, const char *line, size_t n)
{
    (void)arg;
    (void)line;
    (void)n;
}

static void no_fetch(void *arg)
{
    (void)arg;
}

/* ---- copying ---- */

/* rota-box has no words for a full disk of the host: to a build, its workspace is the only one. */
static int failure_of(const struct keeping *k, int status)
{
    bool is_full = k->feedback.error == E_WORKSPACE_FULL || strstr(k->words.tail, "ENOSPC");
    return status == 0 && k->feedback.is_done ? 0 : err_raise(is_full ? -ENOSPC : -EIO);
}

static int copy_run(struct keeping *k, const char *to)
{
    const struct work *w = k->work;
    struct sandbox_mount extra[EXTRA_MAX];
    char name[48];
    size_t n = k->order.extra_n;
    int status = -1;
    if (n > 0)
        memcpy(extra, k->order.extra, n * sizeof *extra);
    extra[n++] = (struct sandbox_mount){.from = to, .at = "/w/keep", .is_writable = true};
    snprintf(name, sizeof name, "%s-keep", w->name);
    struct sandbox_run run = {.tools = &w->setup->tools,
                              .space = w->space,
                              .step = &steps[k->order.step],
                              .limits = &w->limits,
                              .cgroups = &w->setup->cgroups,
                              .name = name,
                              .extra = extra,
                              .extra_n = n,
                              .source_fd = -1,
                              .stop_fd = w->build->stop_fd,
                              .output = on_output,
                              .line = on_line,
                              .arg = k};
    words_begin(&k->words);
    int r = sandbox_step(&run, &status);
    words_end(&k->words);
    k->is_stopped = r == SANDBOX_STOPPED;
    return r < 0 ? err_pass(r) : r > 0 ? err_raise(-ECANCELED) : failure_of(k, status);
}

static int copy_and_publish(struct keeping *k)
{
    const struct setup *s = k->work->setup;
    AUTO(cache_fill) fill = NULL;
    AUTO(window) window = NULL; /* goes before the fill does: see cache_fill_free() */
    char name[48];
    snprintf(name, sizeof name, "%s-keep", k->work->name);
    int r = cache_fill_begin(&s->cache, k->order.kind, s->tools.owner, &fill);
    if (r == 0)
        r = window_new(&s->root, name, fill->data, &window);
    if (r == 0)
        r = copy_run(k, window->path);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    return cache_publish(fill, &k->order.name, k->feedback.bytes, k->order.note, k->order.replaces);
}

static void *keep(void *arg)
{
    struct keeping *k = arg;
    uint64_t from_ms = clock_boot_ms();
    k->outcome = copy_and_publish(k);
    k->ms = clock_boot_ms() - from_ms;
    return NULL;
}

struct keeping *keeping_start(const struct work *w, const struct keeping_order *order)
{
    struct keeping *k = calloc(1, sizeof *k);
    int r = k ? 0 : ENOMEM;
    if (k) {
        k->work = w;
        k->order = *order;
        k->feedback = (struct feedback){.progress = no_share, .arg = k};
        k->words = (struct words){.line = no_line, .fetched = no_fetch, .arg = k};
        r = pthread_create(&k->thread, NULL, keep, k);
    }
    if (r == 0)
        return k;
    keeping_complain("keep", order->kind, -r);
    free(k);
    return NULL;
}

struct keeping *keeping_end(struct work *w, struct keeping *k)
{
    if (!k)
        return NULL;
    pthread_join(k->thread, NULL);
    const char *kind = cache_kind_name(k->order.kind);
    if (k->outcome == 0)
        work_say(w, "kept for later builds: %s, %llu files, %llu bytes, in %llu ms", kind,
                 (unsigned long long)k->feedback.entries, (unsigned long long)k->feedback.bytes,
                 (unsigned long long)k->ms);
    else if (k->outcome != CACHE_HAVE && !k->is_stopped)
        keeping_complain("keep", k->order.kind, k->outcome);
    free(k);
    return NULL;
}
