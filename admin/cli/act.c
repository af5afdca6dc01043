/* act.c: `rota hold`, `rota release`, `rota retry` and `rota move`: what people do with one job.
 * (`rota cancel` has a file of its own.) */
#include "commands.h"
#include "pbjson.h"

#include <stdio.h>

struct act_settings {
    struct common common;
    const char *reason, *pool;
    uint64_t priority;
};

static const struct option_row hold_rows[] = {
    OPTION_STR(struct act_settings, reason, "reason", "TEXT", NULL, "why, for the job's record"),
};

static const struct option_row move_rows[] = {
    OPTION_STR(struct act_settings, pool, "pool", "POOL", NULL, "to this pool"),
    OPTION_U64(struct act_settings, priority, "priority", "N", 0, 1, 9,
               "among the account's own jobs: 1 goes first, 9 last"),
};

static char *text_or_empty(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

/* All four answer alike: where the job is now. */
static int act_send(struct cli *cli, Rota__Request *request)
{
    char word[PB_WORD_LEN + 1];
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, request, &reply);
    if (code)
        return code;
    pb_word(&rota__state__descriptor, (int)reply->hold->state, word); /* one of a union */
    if (cli->common->json)
        return cli_print(json_pack("{s:s,s:s}", "job", cli->args[0], "state", word));
    printf("%s %s\n", cli->args[0], word);
    return EXIT_OK;
}

static int hold_run(struct cli *cli)
{
    const struct act_settings *s = cli->settings;
    Rota__Hold op = ROTA__HOLD__INIT;
    op.job = cli->args[0];
    op.reason = text_or_empty(s->reason);
    CLI_REQUEST(request, HOLD, hold, &op);
    return act_send(cli, &request);
}

static int release_run(struct cli *cli)
{
    Rota__JobRelease op = ROTA__JOB_RELEASE__INIT;
    op.job = cli->args[0];
    CLI_REQUEST(request, JOB_RELEASE, job_release, &op);
    return act_send(cli, &request);
}

static int retry_run(struct cli *cli)
{
    Rota__Retry op = ROTA__RETRY__INIT;
    op.job = cli->args[0];
    CLI_REQUEST(request, RETRY, retry, &op);
    return act_send(cli, &request);
}

static int move_run(struct cli *cli)
{
    const struct act_settings *s = cli->settings;
    Rota__Move op = ROTA__MOVE__INIT;
    op.job = cli->args[0];
    op.pool = text_or_empty(s->pool);
    op.priority = (uint32_t)s->priority;
    CLI_REQUEST(request, MOVE, move, &op);
    return act_send(cli, &request);
}

const struct command command_hold = {
    .name = "hold",
    .args = "JOB [--reason TEXT]",
    .about = "keeps a waiting job back until it is released",
    .rows = hold_rows,
    .n_rows = ARRAY_LEN(hold_rows),
    .settings_bytes = sizeof(struct act_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = hold_run,
};

const struct command command_release = {
    .name = "release",
    .args = "JOB",
    .about = "lets a held job go: back to its old place, or to what it still waits for",
    .settings_bytes = sizeof(struct act_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = release_run,
};

const struct command command_retry = {
    .name = "retry",
    .args = "JOB",
    .about = "runs a dead, failed, timed out or cancelled job again, under the same id",
    .details = "All its attempts begin anew. An uploaded source is deleted when its job ends, so "
               "such a job can be tried again only while it is dead; others are published again.",
    .settings_bytes = sizeof(struct act_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = retry_run,
};

const struct command command_move = {
    .name = "move",
    .args = "JOB [--pool POOL] [--priority N]",
    .about = "gives a waiting job another pool or priority",
    .rows = move_rows,
    .n_rows = ARRAY_LEN(move_rows),
    .settings_bytes = sizeof(struct act_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = move_run,
};
