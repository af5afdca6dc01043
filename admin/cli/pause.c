/* pause.c: `rota pause`, `rota pause off` and `rota pause list`: a pool, a tier, an account or a
 * class stops being served. What waits keeps its place; what runs goes on to its end. */
#include "amount.h"
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "text.h"
#include "tiername.h"

#include <base/clock.h>
#include <stdio.h>

struct pause_settings {
    struct common common;
    const char *reason, *for_time, *until;
};

static const struct option_row set_rows[] = {
    OPTION_STR(struct pause_settings, reason, "reason", "TEXT", NULL,
               "why; shown to whoever asks what a job waits for"),
    OPTION_STR(struct pause_settings, for_time, "for", "TIME", NULL,
               "how long: 90s, 30m, 2h (until it is ended without)"),
    OPTION_STR(struct pause_settings, until, "until", "TIME", NULL,
               "until when: 2026-12-01, 2026-12-01T18:30Z"),
};

/* 0 with scope and name filled in; a tier may be called by its product's name. */
static int pause_fill(const struct cli *cli, Rota__PauseSet *op)
{
    const char *word = cli->args[0];
    int scope = pb_word_value(&rota__pause_scope__descriptor, word);
    if (scope < 0)
        return cli_usage(cli, "%s: pool, tier, account or class", word);
    op->scope = (Rota__PauseScope)scope;
    op->name = cli->args[1];
    if (scope != ROTA__PAUSE_SCOPE__PAUSE_TIER)
        return 0;
    static char tier[PB_WORD_LEN + 1];
    int number = tier_by_name(op->name);
    if (number < 0)
        return cli_error(E_TIER_UNKNOWN, "there is no tier %s", op->name);
    pb_word(&rota__tier__descriptor, number, tier);
    op->name = tier;
    return 0;
}

static int until_fill(const struct cli *cli, Rota__PauseSet *op)
{
    const struct pause_settings *s = cli->settings;
    uint64_t now_ms = clock_wall_ms(), for_ms;
    if (s->for_time && s->until)
        return cli_usage(cli, "--for and --until exclude each other");
    if (s->until && !amount_moment_read(s->until, now_ms, &op->until_ms))
        return cli_usage(cli, "--until %s is no time", s->until);
    if (!s->for_time)
        return 0;
    if (text_duration_parse(s->for_time, &for_ms) || !for_ms)
        return cli_usage(cli, "--for %s is no time", s->for_time);
    op->until_ms = now_ms + for_ms;
    return 0;
}

static void pause_print(const Rota__Pause *pause, bool is_off)
{
    char word[PB_WORD_LEN + 1], until[TEXT_SHORT_LEN + 1];
    pb_word(&rota__pause_scope__descriptor, (int)pause->scope, word);
    if (is_off)
        printf("%s %s %s\n", word, pause->name, pause->since_ms ? "goes on" : "was not paused");
    else if (pause->until_ms)
        printf("%s %s is paused until %s\n", word, pause->name, text_time(pause->until_ms, until));
    else
        printf("%s %s is paused; rota pause off %s %s ends it\n", word, pause->name, word,
               pause->name);
}

static int pause_call(struct cli *cli, Rota__PauseSet *op)
{
    CLI_REQUEST(request, PAUSE_SET, pause_set, op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (!reply->pause_set->pause)
        return cli_error(E_MALFORMED, "the broker's answer holds no pause");
    if (cli->common->json)
        return cli_print_message(&reply->pause_set->pause->base);
    pause_print(reply->pause_set->pause, op->off);
    return EXIT_OK;
}

static int pause_run(struct cli *cli)
{
    const struct pause_settings *s = cli->settings;
    Rota__PauseSet op = ROTA__PAUSE_SET__INIT;
    int code = pause_fill(cli, &op);
    if (code == 0)
        code = until_fill(cli, &op);
    op.reason = (char *)(s->reason ? s->reason : "");
    return code ? code : pause_call(cli, &op);
}

const struct command command_pause = {
    .name = "pause",
    .args = "pool|tier|account|class NAME --reason TEXT [--for TIME|--until TIME]",
    .about = "stops serving a pool, a tier, an account or a class of jobs",
    .details = "What runs goes on to its end; what waits keeps its place, and publishing goes on. "
               "A later pause of the same thing replaces the earlier.",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct pause_settings),
    .args_min = 2,
    .args_max = 2,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = pause_run,
};

static int pause_off_run(struct cli *cli)
{
    Rota__PauseSet op = ROTA__PAUSE_SET__INIT;
    int code = pause_fill(cli, &op);
    op.off = true;
    return code ? code : pause_call(cli, &op);
}

const struct command command_pause_off = {
    .name = "pause off",
    .args = "pool|tier|account|class NAME",
    .about = "ends a pause",
    .details = "Of a class it also closes the breaker: say so once its infrastructure works again.",
    .args_min = 2,
    .args_max = 2,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = pause_off_run,
};

static void pause_list_fill(struct cli *cli, struct page_request *p, const char *cursor)
{
    (void)cli;
    rota__pause_list__init(&p->pause_list);
    p->pause_list.cursor = (char *)cursor;
    p->pause_list.limit = PAGE_ROWS;
    p->request.op_case = ROTA__REQUEST__OP_PAUSE_LIST;
    p->request.pause_list = &p->pause_list;
}

static const char *pause_list_rows(struct table *t, const Rota__Reply *reply)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    for (size_t i = 0; t && i < reply->pause_list->n_pause; i++) {
        const Rota__Pause *pause = reply->pause_list->pause[i];
        table_cell(t, STYLE_PLAIN, "%s",
                   pb_word(&rota__pause_scope__descriptor, (int)pause->scope, word));
        table_cell(t, STYLE_HEAD, "%s", pause->name);
        table_cell(t, STYLE_DIM, "%s", text_time(pause->since_ms, text));
        table_cell(t, STYLE_PLAIN, "%s", text_time(pause->until_ms, text));
        table_cell(t, STYLE_PLAIN, "%s", pause->by);
        table_cell(t, STYLE_PLAIN, "%s", pause->reason);
    }
    return reply->pause_list->next_cursor;
}

static int pause_list_run(struct cli *cli)
{
    static const struct page_kind kind = {"WHAT NAME SINCE UNTIL BY REASON", "pauses",
                                          pause_list_fill, pause_list_rows};
    return page_list(cli, &kind);
}

const struct command command_pause_list = {
    .name = "pause list",
    .args = "",
    .about = "lists what operators have paused",
    .details =
        "Classes that their breaker has stopped are not among these: rota stats shows them, and "
        "rota pause off class NAME starts them again.",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = pause_list_run,
};
