/* usage.c: `rota usage`: builds, ends and costs of an account, by UTC months. */
#include "commands.h"
#include "table.h"
#include "text.h"

#include <stdio.h>

struct usage_settings {
    struct common common;
    const char *account;
    uint64_t months;
};

static const struct option_row usage_rows[] = {
    OPTION_STR(struct usage_settings, account, "account", "ID", NULL,
               "whose (the key's own account; for an operator local)"),
    OPTION_U64(struct usage_settings, months, "months", "N", 1, 1, 24, "how many, newest first"),
};

static void month_row(struct table *t, const Rota__UsageMonth *m)
{
    char text[TEXT_SHORT_LEN + 1];
    table_cell(t, STYLE_HEAD, "%s", m->month);
    table_cell(t, STYLE_PLAIN, "%s", text_count(m->builds_used, text));
    table_cell(t, STYLE_PLAIN, "%s",
               m->builds_unlimited ? "unlimited" : text_count(m->builds_limit, text));
    table_cell(t, STYLE_PLAIN, "%u min", m->timeout_addon_minutes);
    table_cell(t, STYLE_PLAIN, "%s", text_count(m->succeeded, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(m->failed, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(m->cancelled, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(m->dead, text));
    bool is_over = m->budget_ms && m->worker_ms >= m->budget_ms;
    table_cell(t, is_over ? STYLE_WARN : STYLE_PLAIN, "%s", text_duration(m->worker_ms, text));
    table_cell(t, STYLE_DIM, "%s", m->budget_ms ? text_duration(m->budget_ms, text) : "-");
}

static int usage_run(struct cli *cli)
{
    const struct usage_settings *s = cli->settings;
    Rota__Usage op = ROTA__USAGE__INIT;
    op.account = (char *)(s->account ? s->account : "");
    op.months = (uint32_t)s->months;
    CLI_REQUEST(request, USAGE, usage, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->usage->base);
    AUTO(table)
    t = table_new("MONTH BUILDS> LIMIT> ADD-ONS> SUCCEEDED> FAILED> CANCELLED> DEAD> "
                  "WORKERS> BUDGET>");
    for (size_t i = 0; i < reply->usage->n_month; i++)
        month_row(t, reply->usage->month[i]);
    table_print(t);
    char has[TEXT_SHORT_LEN + 1], may[TEXT_SHORT_LEN + 1];
    printf("storage: %s of %s\n", text_bytes(reply->usage->storage_bytes, has),
           text_bytes(reply->usage->storage_bytes_max, may));
    return EXIT_OK;
}

const struct command command_usage = {
    .name = "usage",
    .args = "[--account ID] [--months N]",
    .about = "shows what an account has used, by UTC months",
    .details =
        "BUILDS are taken when a job is published, and given back when it never ran or was "
        "lost to a fault of ours. Limit and budget are those that hold now; a budget that is "
        "reached refuses nothing: rota watch --all shows it as an event. Storage is what the "
        "artifacts take now, each object once; a build that would go beyond is refused "
        "STORAGE_QUOTA.",
    .rows = usage_rows,
    .n_rows = ARRAY_LEN(usage_rows),
    .settings_bytes = sizeof(struct usage_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = usage_run,
};
