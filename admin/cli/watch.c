/* watch.c: `rota watch`: one job until it is over, or the event log.
 *
 * A job on a terminal is one line that is written over; elsewhere one line for each change, so that
 * a script sees every percent. The log is read in pages; its end is an empty page that nobody
 * waited for. */
#include "commands.h"
#include "event.h"
#include "follow.h"
#include "job.h"
#include "pbjson.h"
#include "text.h"

#include <base/clock.h>
#include <stdio.h>

enum { PAGE_EVENTS = 1000, FOLLOW_WAIT_MS = 20000, RETRY_MS = 500 };

struct watch_settings {
    struct common common;
    bool all, follow;
    uint64_t from;
};

static const struct option_row rows[] = {
    OPTION_FLAG(struct watch_settings, all, "all", "the event log instead of one job"),
    OPTION_U64(struct watch_settings, from, "from", "SEQ", 0, 0, INT64_MAX,
               "with --all: the first event to print"),
    OPTION_FLAG(struct watch_settings, follow, "follow",
                "with --all: wait for more at the end of the log (-f)"),
};

static int print_json(void *arg, const Rota__Job *job)
{
    (void)arg;
    cli_print_line(pb_json(&job->base));
    return 0;
}

static int print_line(void *arg, const Rota__Job *job)
{
    (void)arg;
    char *text = job_line(job);
    if (term_is_live(1)) {
        term_live(stdout, text);
    } else {
        puts(text);
        fflush(stdout);
    }
    free(text);
    return 0;
}

static int watch_job(struct cli *cli, const char *job)
{
    AUTO_REPLY reply = NULL;
    struct follow f = {
        .job = job,
        .deadline_boot_ms = cli->timeout_ms ? clock_boot_ms() + cli->timeout_ms : 0,
        .changed = cli->common->json ? print_json : print_line,
    };
    int code = follow_job(cli, &f, &reply);
    term_live_end(stdout);
    if (code)
        return code;
    return job_end(reply->watch->job);
}

static int page_read(struct cli *cli, uint64_t from, bool wait, Rota__Reply **ret_reply)
{
    Rota__Watch op = ROTA__WATCH__INIT;
    op.from = from;
    op.limit = PAGE_EVENTS;
    op.wait_ms = wait ? FOLLOW_WAIT_MS : 0;
    CLI_REQUEST(request, WATCH, watch, &op);
    return cli_try(cli, &request, op.wait_ms, ret_reply);
}

static void page_print(const struct cli *cli, const Rota__WatchResult *page)
{
    for (size_t i = 0; i < page->n_event; i++) {
        if (cli->common->json) {
            json_t *line = pb_json(&page->event[i]->base);
            json_dumpf(line, stdout, JSON_COMPACT);
            json_decref(line);
            putchar('\n');
        } else {
            event_print(page->event[i]);
        }
    }
    fflush(stdout);
}

static int watch_log(struct cli *cli, const struct watch_settings *s)
{
    uint64_t from = s->from;
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
        page_print(cli, reply->watch);
        /* An account's page may be empty because all of its events are others': go on behind them.
         */
        at_end = !reply->watch->n_event && reply->watch->next <= from;
        from = reply->watch->next > from ? reply->watch->next : from;
        if (ferror(stdout))
            return EXIT_IO;
        if (at_end && !s->follow)
            return EXIT_OK;
    }
}

static int watch_run(struct cli *cli)
{
    const struct watch_settings *s = cli->settings;
    if (s->all == (cli->n_args == 1))
        return cli_usage(cli, "watch takes a job or --all");
    if (!s->all && (s->from || s->follow))
        return cli_usage(cli, "--from and --follow belong to --all");
    term_guard(NULL);
    return s->all ? watch_log(cli, s) : watch_job(cli, cli->args[0]);
}

const struct command command_watch = {
    .name = "watch",
    .args = "JOB | --all [--from SEQ] [--follow]",
    .about = "shows a job's progress until it is over, or the event log",
    .details = "With --json each change, or each event, is one line of JSON. `rota watch --all "
               "--from 0 --json` prints "
               "the whole log up to now and ends; with --follow it waits for more. The exit code "
               "of a watched job is 0 "
               "when it succeeded and 1 for any other end.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct watch_settings),
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = watch_run,
};
