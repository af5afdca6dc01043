/* job.c: the page of `rota status` is a list of rows that leave themselves out when there is
 * nothing to say. */
#include "job.h"

#include "pbjson.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BAR_COLUMNS = 24 };

bool job_is_over(const Rota__Job *job)
{
    return job->state >= ROTA__STATE__SUCCEEDED;
}

const char *job_state_word(const Rota__Job *job, char word[32])
{
    return pb_word(&rota__state__descriptor, (int)job->state, word);
}

enum style job_style(const Rota__Job *job)
{
    if (job->state == ROTA__STATE__SUCCEEDED)
        return STYLE_GOOD;
    if (job_is_over(job))
        return STYLE_BAD;
    return job->state == ROTA__STATE__LEASED ? STYLE_WARN : STYLE_PLAIN;
}

char *job_line(const Rota__Job *job)
{
    char bar[3 * BAR_COLUMNS + 1], word[32];
    AUTO_FREE char *raw = NULL;
    if (job->state == ROTA__STATE__LEASED)
        raw = x_printf("%s  %s %3u%%  %s%s%s", job->job, term_bar(job->percent, BAR_COLUMNS, bar),
                       job->percent, job->cancelling ? "cancelling" : job->phase,
                       *job->message ? ": " : "", job->message);
    else
        raw = x_printf("%s  %s%s%s", job->job, job_state_word(job, word), *job->reason ? ", " : "",
                       job->reason);
    return text_clean(raw); /* phase and message are the build's own words */
}

void job_row(struct table *t, const Rota__Job *job, uint64_t now_ms)
{
    char word[32], tier[PB_WORD_LEN + 1], age[TEXT_SHORT_LEN + 1];
    uint64_t age_ms = now_ms > job->published_ms ? now_ms - job->published_ms : 0;
    table_cell(t, STYLE_PLAIN, "%s", job->job);
    table_cell(t, STYLE_PLAIN, "%s", pb_word(&rota__tier__descriptor, (int)job->tier, tier));
    table_cell(t, STYLE_PLAIN, "%s", job->account);
    table_cell(t, STYLE_PLAIN, "%s", *job->app ? job->app : "-");
    table_cell(t, STYLE_PLAIN, "%s", *job->platform ? job->platform : "-");
    table_cell(t, job_style(job), "%s", job_state_word(job, word));
    if (job->state == ROTA__STATE__LEASED)
        table_cell(t, STYLE_PLAIN, "%s %u%%", job->phase, job->percent);
    else
        table_cell(t, STYLE_PLAIN, "%s", job->error ? job->error->name : job->reason);
    table_cell(t, STYLE_PLAIN, "%s", text_duration(age_ms, age));
}

/* One row of the page; left out when the text is empty. */
__attribute__((format(printf, 2, 3))) static void row(const char *name, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = x_must(NULL);
    va_end(args);
    if (*text) {
        char *clean = text_clean(text);
        printf("  %s%-11s%s %s\n", term_on(STYLE_DIM), name, term_off(STYLE_DIM), clean);
        free(clean);
    }
    free(text);
}

static void time_row(const char *name, uint64_t unix_ms)
{
    char text[TEXT_SHORT_LEN + 1];
    if (unix_ms)
        row(name, "%s", text_time(unix_ms, text));
}

static void phases_print(const Rota__Job *job)
{
    char took[TEXT_SHORT_LEN + 1];
    for (size_t i = 0; i < job->n_phase_time; i++)
        row(i ? "" : "phases", "%-10s %s", job->phase_time[i]->phase,
            text_duration(job->phase_time[i]->ms, took));
}

static void artifacts_print(const Rota__Job *job)
{
    char size[TEXT_SHORT_LEN + 1], word[PB_WORD_LEN + 1];
    for (size_t i = 0; i < job->n_artifact; i++) {
        const Rota__Artifact *a = job->artifact[i];
        row(i ? "" : "artifacts", "%-9s %9s  %s",
            pb_word(&rota__object_kind__descriptor, (int)a->kind, word), text_bytes(a->size, size),
            a->name);
    }
}

/* The jobs that must succeed first and have not yet. */
static void after_print(const Rota__Job *job)
{
    for (size_t i = 0; i < job->n_after; i++)
        row(i ? "" : "after", "%s", job->after[i]);
}

static void running_print(const Rota__Job *job)
{
    char bar[3 * BAR_COLUMNS + 1];
    if (job->state == ROTA__STATE__LEASED)
        row("progress", "%s %u%%  %s  %s", term_bar(job->percent, BAR_COLUMNS, bar), job->percent,
            job->phase, job->message);
    row("worker", "%s", job->worker);
}

/* The catalogue's hints speak to whoever met the error; here a person reads of a job that is over.
 */
static const char *end_hint(const Rota__Job *job)
{
    if (*job->superseded_by)
        return "follow the newer job";
    if (job->state == ROTA__STATE__CANCELLED &&
        (!job->error || !strcmp(job->error->name, "CANCELLED")))
        return "publish it again if that was not meant";
    if (job->state == ROTA__STATE__DEAD)
        return "no attempt is left: when the cause is gone, `rota retry JOB` runs it again";
    return job->error ? job->error->hint : "`rota logs JOB` shows more";
}

static void error_print(const Rota__Job *job)
{
    if (!job->error)
        return;
    row("error", "%s (%s)", job->error->text, job->error->name);
    row("what to do", "%s", end_hint(job));
}

void job_print(const Rota__Job *job)
{
    char word[32], tier[PB_WORD_LEN + 1];
    printf("%s%s%s  %s%s%s%s\n", term_on(STYLE_HEAD), job->job, term_off(STYLE_HEAD),
           term_on(job_style(job)), job_state_word(job, word), term_off(job_style(job)),
           job->cancelling ? ", being cancelled" : "");
    row("reason", "%s", job->reason);
    row("by", "%s", job->by);
    if (job->state == ROTA__STATE__HELD || (job->state == ROTA__STATE__READY && *job->reason))
        time_row("since", job->since_ms);
    after_print(job);
    row("replaced by", "%s", job->superseded_by);
    row("app", "%s%s%s", job->app, *job->platform ? " for " : "", job->platform);
    row("account", "%s, tier %s", job->account,
        pb_word(&rota__tier__descriptor, (int)job->tier, tier));
    row("ref", "%s", job->ref);
    row("commit", "%s", job->commit);
    row("class", "%s, pool %s, priority %u", job->class_, job->pool, job->priority);
    row("attempt", "%u of %u", job->attempt, job->attempts_max);
    running_print(job);
    time_row("published", job->published_ms);
    time_row("due", job->due_ms);
    time_row("started", job->started_ms);
    time_row("finished", job->finished_ms);
    phases_print(job);
    artifacts_print(job);
    error_print(job);
}

int job_end(const Rota__Job *job)
{
    char took[TEXT_SHORT_LEN + 1], word[32];
    bool ran = job->started_ms && job->finished_ms >= job->started_ms;
    if (job->state == ROTA__STATE__SUCCEEDED) {
        fprintf(stderr, "%s succeeded in %s\n", job->job,
                text_duration(ran ? job->finished_ms - job->started_ms : 0, took));
        return EXIT_OK;
    }
    job_state_word(job, word);
    const Rota__Error *e = job->error;
    char *text = e && *e->text
                     ? x_printf("%s %s: %s", job->job, word, e->text)
                     : x_printf("%s %s%s%s", job->job, word, *job->reason ? ": " : "", job->reason);
    cli_say(e && *e->name ? e->name : "JOB_FAILED", end_hint(job), text);
    free(text);
    return EXIT_JOB_FAILED;
}
