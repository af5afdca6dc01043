/* work.c: what all phases share: progress, the log, and running a step. */
#include "work.h"

#include "layer.h"
#include "modules.h"
#include "phase.h"
#include "step_net.h"
#include "verdict.h"

#include <assert.h>
#include <base/file.h>
#include <errno.h>
#include <source_ref.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <text.h>
#include <unistd.h>

void work_share(struct work *w, double share, const char *message)
{
    assert(share >= 0 && share <= 1);
    uint32_t percent = w->percent_from + (uint32_t)(share * (double)w->phase->weight);
    if (percent > w->percent)
        w->percent = percent;
    build_progress(w->build, w->phase->name, w->percent, message);
}

/* Into the live log and into the file that is kept; the file stops at its bound, the live log goes
 * on. */
static void log_add(struct work *w, const char *p, size_t n)
{
    static const char cut[] = "\n… the log was cut here\n";
    build_log(w->build, p, n);
    if (w->log_bytes > LOG_BYTES_MAX)
        return;
    w->log_bytes += n;
    if (w->log_bytes > LOG_BYTES_MAX) {
        p = cut;
        n = sizeof cut - 1;
    }
    if (write_all(w->log_fd, p, n) < 0)
        w->log_bytes = LOG_BYTES_MAX + 1; /* no memory for it: the live log has everything */
}

void work_say(struct work *w, const char *format, ...)
{
    char line[TEXT_LINE_MAX];
    va_list args;
    va_start(args, format);
    size_t n = text_line(line, format, args);
    va_end(args);
    log_add(w, line, n);
}

int work_go_on(struct work *w)
{
    if (build_stopped(w->build) == BUILD_GOES_ON)
        return 0;
    w->result->outcome = BUILD_STOPPED;
    return WORK_ENDED;
}

/* ---- what a step says while it runs ---- */

static void on_output(void *arg, const void *p, size_t n)
{
    struct work *w = arg;
    words_add(&w->words, p, n);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct work *w = arg;
    feedback_line(&w->feedback, line, n, is_cut);
}

static void on_share(void *arg, double share, const char *message)
{
    work_share(arg, share, message);
}

static void on_log_line(void *arg, const char *line, size_t n)
{
    log_add(arg, line, n);
}

/* npm asks twice for each package: what there is, and the package itself. */
static void on_fetched(void *arg)
{
    struct work *w = arg;
    uint64_t all = w->packages * 2;
    if (w->fetched < all)
        w->fetched++;
    char message[64];
    snprintf(message, sizeof message, "%llu of %llu packages", (unsigned long long)w->fetched / 2,
             (unsigned long long)w->packages);
    work_share(w, all ? (double)w->fetched / (double)all : 0, message);
}

static void step_begin(struct work *w)
{
    w->feedback = (struct feedback){.progress = on_share, .rc = w->on_rc, .arg = w};
    w->words.line = on_log_line;
    w->words.fetched = on_fetched;
    w->words.arg = w;
    words_begin(&w->words);
}

static void words_fill(const struct work *w, const char *words[WORD_COUNT])
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        words[i] = w->file_words[i];
    words[WORD_MANAGER] = w->manager ? w->manager->cli : NULL;
    words[WORD_INSTALL_ROOT] = w->install_root;
    words[WORD_ROOT] = w->spec.root;
    words[WORD_ENTRY] = w->spec.entry;
    words[WORD_HEAP] = w->heap;
    words[WORD_PLATFORM] = w->build->platform;
    words[WORD_BUNDLE] = w->bundle_name;
    words[WORD_GIT_URL] = w->git ? w->git->url : NULL;
    words[WORD_GIT_REF] = w->git ? w->git->ref : NULL;
    words[WORD_HERMESC] = w->hermesc;
    words[WORD_COMPOSE] = w->compose;
}

bool work_is_heat(const struct work *w)
{
    return strcmp(w->build->class, "heat") == 0;
}

const struct node_at *work_node(const struct work *w)
{
    return w->node ? w->node : &w->setup->tools.nodes.node[0];
}

void work_fit(struct work *w, const char *tier)
{
    snprintf(w->name, sizeof w->name, "slot-%u", w->build->slot);
    snprintf(w->ahead_name, sizeof w->ahead_name, "%s-ahead", w->name);
    w->limits = limits_of(tier, w->build->settings->workspace_bytes);
    /* Node must meet its own limit first: it says what it wanted memory for. */
    uint64_t most_mib = (w->limits.memory_bytes >> 20) / 4 * 3;
    uint64_t mib = w->setup->heap_mib < most_mib ? w->setup->heap_mib : most_mib;
    snprintf(w->heap, sizeof w->heap, "--max-old-space-size=%llu", (unsigned long long)mib);
}

/* node_modules, for Metro the shared layer, and the Node that the app asks for. The caller frees
 * *ret_extra. */
static int extra_make(const struct work *w, enum step_id id, struct sandbox_mount **ret_extra,
                      size_t *ret_n)
{
    size_t n = 0, layers = 0;
    const struct sandbox_mount *modules = steps[id].has_modules ? modules_mounts(w, &n) : NULL;
    const struct sandbox_mount *layer = steps[id].has_layer ? layer_mounts(w, &layers) : NULL;
    struct sandbox_mount *extra = calloc(n + layers + 1, sizeof *extra);
    if (!extra)
        return err_raise(-ENOMEM);
    size_t all = n;
    n = 0;
    for (size_t i = 0; i < all; i++)
        if (steps[id].has_modules_cache || !modules[i].is_writable)
            extra[n++] = modules[i];
    for (size_t i = 0; i < layers; i++)
        extra[n++] = layer[i];
    if (work_node(w)->path[0])
        extra[n++] = (struct sandbox_mount){.from = work_node(w)->path, .at = "/rota/node"};
    *ret_extra = extra;
    *ret_n = n;
    return 0;
}

static struct sandbox_run run_of(const struct work *w, enum step_id id)
{
    struct sandbox_run run = {.tools = &w->setup->tools,
                              .space = w->space,
                              .step = &steps[id],
                              .limits = &w->limits,
                              .cgroups = &w->setup->cgroups,
                              .name = w->name,
                              .env = id == STEP_BUNDLE ? w->env : NULL,
                              .source_fd = -1};
    words_fill(w, run.words);
    return run;
}

int work_step(struct work *w, enum step_id id, int source_fd)
{
    AUTO_FREE struct sandbox_mount *extra = NULL;
    struct sandbox_run run = run_of(w, id);
    int r = extra_make(w, id, &extra, &run.extra_n);
    if (r < 0)
        return err_pass(r);
    step_begin(w);
    if (id == STEP_SETTLE)
        w->feedback.tree = modules_tree;
    run.extra = extra;
    run.source_fd = source_fd;
    run.stop_fd = w->build->stop_fd;
    run.output = on_output;
    run.line = on_line;
    run.arg = w;
    struct proxy *proxy = NULL;
    r = step_net_open(w, &steps[id], &proxy);
    if (r < 0)
        return err_pass(r);
    run.net = proxy ? proxy_folder(proxy) : NULL;
    int status = 0;
    r = sandbox_step(&run, &status);
    words_end(&w->words);
    step_net_close(w, &steps[id], proxy);
    if (r < 0)
        return err_pass(r);
    r = verdict_step(w, &steps[id], r, status);
    if (r == WORK_ENDED)
        step_net_explain(w, &steps[id]);
    return r;
}

int work_begin(struct work *w, enum step_id id, struct ahead **ret_ahead)
{
    AUTO_FREE struct sandbox_mount *extra = NULL;
    struct sandbox_run run = run_of(w, id);
    int r = extra_make(w, id, &extra, &run.extra_n);
    if (r < 0)
        return err_pass(r);
    run.extra = extra;
    run.name = w->ahead_name;
    r = ahead_start(&run, ret_ahead);
    return r < 0 ? err_pass(r) : 0;
}

int work_finish(struct work *w, enum step_id id, struct ahead *a, int rest_fd)
{
    const struct ahead_rest rest = {.fd = rest_fd,
                                    .stop_fd = w->build->stop_fd,
                                    .wall_ms = w->limits.wall_ms,
                                    .output = on_output,
                                    .line = on_line,
                                    .arg = w};
    int status = 0;
    step_begin(w);
    int r = ahead_finish(a, &rest, &status);
    words_end(&w->words);
    return r < 0 ? err_pass(r) : verdict_step(w, &steps[id], r, status);
}
