/* why.c: `rota why JOB`: why it waits, what comes before it, and until when at the latest. */
#include "commands.h"
#include "pbjson.h"
#include "terminal.h"
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One row; the text is cleaned. */
__attribute__((format(printf, 2, 3))) static void row(const char *name, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = x_must(NULL);
    va_end(args);
    char *clean = text_clean(text);
    printf("  %s%-9s%s %s\n", term_on(STYLE_DIM), name, term_off(STYLE_DIM), clean);
    free(clean);
    free(text);
}

static void place_print(const Rota__WhyResult *why)
{
    char own[TEXT_SHORT_LEN + 1], ring[TEXT_SHORT_LEN + 1], size[TEXT_SHORT_LEN + 1];
    if (why->place)
        row("place", "%s%s in its account's line", why->place_is_more ? "more than " : "",
            text_count(why->place, own));
    if (why->ring_place)
        row("ring", "its account stands at %s%s of %s", why->ring_is_more ? "more than " : "",
            text_count(why->ring_place, ring), text_count(why->ring_size, size));
}

static const char *plural(uint64_t dispatches)
{
    return dispatches == 1 ? "" : "es";
}

static void promise_print(const Rota__WhyResult *why)
{
    char n[TEXT_SHORT_LEN + 1], time[TEXT_SHORT_LEN + 1];
    if (why->state != ROTA__STATE__READY)
        return;
    row("ahead", "%s dispatch%s, if nothing else happens", text_count(why->ahead, n),
        plural(why->ahead));
    if (why->has_bound)
        row("bound", "at most %s other dispatch%s before it, whatever others do",
            text_count(why->bound, n), plural(why->bound));
    else
        row("estimate", "%s other dispatch%s at the most; no promise", text_count(why->estimate, n),
            plural(why->estimate));
    if (why->worst_ms)
        row("worst", "%s, with the workers of now", text_duration(why->worst_ms, time));
}

static void times_print(const Rota__WhyResult *why)
{
    char time[TEXT_SHORT_LEN + 1];
    if (why->eta_ms)
        row("starts", "in about %s (%s confidence)", text_duration(why->eta_ms, time),
            why->confidence);
    if (*why->by)
        row("by", "%s", why->by);
    if (why->since_ms)
        row("since", "%s", text_time(why->since_ms, time));
    if (why->free_at_ms)
        row("until", "%s", text_time(why->free_at_ms, time));
}

static void list_print(const char *name, char **jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        row(i ? "" : name, "%s", jobs[i]);
}

static void why_print(const Rota__WhyResult *why)
{
    char word[PB_WORD_LEN + 1];
    char *clean = text_clean(why->text);
    if (*clean)
        *clean = (char)toupper((unsigned char)*clean);
    printf("%s%s%s  %s, %s%s%s\n", term_on(STYLE_HEAD), why->job, term_off(STYLE_HEAD),
           pb_word(&rota__state__descriptor, (int)why->state, word), term_on(STYLE_WARN),
           why->reason, term_off(STYLE_WARN));
    printf("%s.\n", clean);
    free(clean);
    place_print(why);
    promise_print(why);
    times_print(why);
    list_print("running", why->running, why->n_running);
    list_print("waits for", why->after, why->n_after);
}

static int why_run(struct cli *cli)
{
    Rota__Why op = ROTA__WHY__INIT;
    op.job = cli->args[0];
    CLI_REQUEST(request, WHY, why, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json) {
        json_t *document = pb_json(&reply->why->base);
        json_object_set_new(document, "as_of_ms", json_integer((json_int_t)reply->as_of_ms));
        return cli_print(document);
    }
    why_print(reply->why);
    return EXIT_OK;
}

const struct command command_why = {
    .name = "why",
    .args = "JOB",
    .about = "says why a job waits, what comes before it, and until when at the latest",
    .details = "A bound is a promise: at most so many other jobs of its pool begin first, whatever "
               "others publish, as "
               "long as nobody steps in and no job of its own account is put before it. It is "
               "stated for an account's "
               "next job while nothing but its turn is in its way; for all others there is an "
               "estimate. Times are "
               "reckoned from how long the pool's jobs took of late.",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = why_run,
};
