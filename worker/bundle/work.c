/* work.c: what all phases share: progress, the log, and running a step. */
#include "work.h"

#include "phase.h"
#include "verdict.h"

#include <assert.h>
#include <base/file.h>
#include <errno.h>
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
    w->feedback = (struct feedback){.progress = on_share, .arg = w};
    w->words.line = on_log_line;
    w->words.fetched = on_fetched;
    w->words.arg = w;
    words_begin(&w->words);
}

static void words_fill(const struct work *w, const char *words[WORD_COUNT])
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        words[i] = w->file_words[i];
    words[WORD_NPM] = w->setup->tools.npm_cli;
    words[WORD_HEAP] = w->heap;
    words[WORD_PLATFORM] = w->build->platform;
    words[WORD_BUNDLE] = w->bundle_name;
    words[WORD_HERMESC] = w->hermesc;
    words[WORD_COMPOSE] = w->compose;
}

int work_step(struct work *w, enum step_id id, int source_fd)
{
    step_begin(w);
    struct sandbox_run run = {.tools = &w->setup->tools,
                              .space = w->space,
                              .step = &steps[id],
                              .limits = &w->limits,
                              .cgroups = &w->setup->cgroups,
                              .name = w->name,
                              .env = id == STEP_BUNDLE ? w->env : NULL,
                              .source_fd = source_fd,
                              .stop_fd = w->build->stop_fd,
                              .output = on_output,
                              .line = on_line,
                              .arg = w};
    words_fill(w, run.words);
    int status = 0;
    int r = sandbox_step(&run, &status);
    words_end(&w->words);
    if (r < 0)
        return err_pass(r);
    return verdict_step(w, &steps[id], r, status);
}
