/* audit.c: `rota audit`: reads the event log and applies the scheduling rule to it a second time
 * (proto/audit), from the first checkpoint at or behind where it begins. */
#include "commands.h"
#include "follow.h"
#include "terminal.h"
#include "text.h"

#include "audit/audit.h"

#include <base/clock.h>
#include <stdio.h>

enum { PAGE_EVENTS = 1000, FOLLOW_WAIT_MS = 20000, RETRY_MS = 500 };

struct audit_settings {
    struct common common;
    bool follow;
    uint64_t from;
};

static const struct option_row rows[] = {
    OPTION_U64(struct audit_settings, from, "from", "SEQ", 0, 0, INT64_MAX,
               "begin at the first checkpoint from this event on"),
    OPTION_FLAG(struct audit_settings, follow, "follow",
                "go on with what comes, until a deviation or an interrupt (-f)"),
};

static int page_read(struct cli *cli, uint64_t from, bool wait, Rota__Reply **ret_reply)
{
    Rota__Watch op = ROTA__WATCH__INIT;
    op.from = from;
    op.limit = PAGE_EVENTS;
    op.wait_ms = wait ? FOLLOW_WAIT_MS : 0;
    CLI_REQUEST(request, WATCH, watch, &op);
    return cli_try(cli, &request, op.wait_ms, ret_reply);
}

/* 0 or AUDIT_DEVIATION. */
static int page_check(struct audit *audit, const Rota__WatchResult *page)
{
    int r = 0;
    for (size_t i = 0; i < page->n_event && r == 0; i++)
        r = audit_event(audit, page->event[i]);
    if (r < 0)
        x_must(NULL);
    return r;
}

static void so_far_print(const struct audit *audit)
{
    struct audit_counts c;
    char text[96], n[TEXT_SHORT_LEN + 1];
    audit_counts(audit, &c);
    snprintf(text, sizeof text, "%s dispatches so far, all as the rule says",
             text_count(c.dispatches, n));
    if (term_is_live(1))
        term_live(stdout, text);
    else
        puts(text);
    fflush(stdout);
}

/* Feeds the log to the audit. 0, AUDIT_DEVIATION in *ret_found, or an exit code, said. */
static int log_check(struct cli *cli, struct audit *audit, int *ret_found)
{
    const struct audit_settings *s = cli->settings;
    uint64_t from = s->from;
    *ret_found = 0;
    for (bool at_end = false;;) {
        AUTO_REPLY reply = NULL;
        int code = page_read(cli, from, at_end && s->follow, &reply);
        if (code)
            return code;
        if (reply->error && !(s->follow && follow_is_passing(reply->error)))
            return cli_refused(reply->error);
        if (reply->error) {
            follow_pause(RETRY_MS);
            continue;
        }
        *ret_found = page_check(audit, reply->watch);
        at_end = !reply->watch->n_event && reply->watch->next <= from;
        from = reply->watch->next > from ? reply->watch->next : from;
        if (*ret_found || (at_end && !s->follow))
            return 0;
        if (s->follow && !cli->common->json && reply->watch->n_event)
            so_far_print(audit);
    }
}

static int print_json(const struct audit *audit, const struct audit_counts *c)
{
    json_t *document = json_object();
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"dispatches", c->dispatches},   {"events", c->events},
        {"checkpoints", c->checkpoints}, {"passed_over", c->passed_over},
        {"begun_seq", c->begun_seq},     {"last_seq", c->last_seq},
        {"accounts", c->accounts},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_object_set_new(document, numbers[i].name, json_integer((json_int_t)numbers[i].value));
    if (c->deviation_seq) {
        json_object_set_new(document, "deviation_seq", json_integer((json_int_t)c->deviation_seq));
        json_object_set_new(document, "deviation", json_string(audit_text(audit)));
    }
    return cli_print(document);
}

static void verdict_print(const struct audit *audit, const struct audit_counts *c)
{
    char n[TEXT_SHORT_LEN + 1], events[TEXT_SHORT_LEN + 1];
    if (c->deviation_seq) {
        char *clean = text_clean(audit_text(audit));
        printf("deviation: %s\n", clean);
        free(clean);
        return;
    }
    printf("%s dispatch%s, all as the rule says\n", text_count(c->dispatches, n),
           c->dispatches == 1 ? "" : "es");
    printf("%s%s events from %llu to %llu, %llu checkpoint%s%s\n", term_on(STYLE_DIM),
           text_count(c->events, events), (unsigned long long)c->begun_seq,
           (unsigned long long)c->last_seq, (unsigned long long)c->checkpoints,
           c->checkpoints == 1 ? "" : "s", term_off(STYLE_DIM));
}

static int audit_run(struct cli *cli)
{
    AUTO(audit) audit = NULL;
    struct audit_counts c;
    int found;
    if (audit_new(&audit) < 0)
        x_must(NULL);
    term_guard(NULL);
    int code = log_check(cli, audit, &found);
    term_live_end(stdout);
    if (code)
        return code;
    audit_counts(audit, &c);
    if (!c.begun_seq)
        return cli_error(E_CHECKPOINT_MISSING, "no checkpoint stands in the log from event %llu on",
                         (unsigned long long)((const struct audit_settings *)cli->settings)->from);
    if (cli->common->json)
        code = print_json(audit, &c);
    else
        verdict_print(audit, &c);
    return code ? code : found ? EXIT_JOB_FAILED : EXIT_OK;
}

const struct command command_audit = {
    .name = "audit",
    .args = "[--from SEQ] [--follow]",
    .about = "applies the scheduling rule to the event log again, and says whether all went by it",
    .details =
        "From a checkpoint on it keeps its own book of who has ready and running jobs, of caps, "
        "pauses and the "
        "order in each ring, and compares every dispatch with it: who was eligible, which tier the "
        "rule "
        "serves, which account stands first, the numbers. It ends at the first deviation, with "
        "exit code 1. "
        "Taken as the log says them, because only a clock could tell: when rate limits begin and "
        "end, and "
        "when delays are over. Not looked at: which of its own jobs an account's turn goes to.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct audit_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = audit_run,
};
