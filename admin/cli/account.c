/* account.c: `rota account set`, `rota account list` and `rota account show`. What is not named
 * keeps what is stored. */
#include "amount.h"
#include "commands.h"
#include "limits_view.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"
#include "tiername.h"

#include <stdio.h>
#include <string.h>

struct account_settings {
    struct common common;
    const char *tier, *builds, *running, *timeout_min, *bundle_mb, *source_mb, *storage_gb, *rate,
        *budget_min;
    const char *name, *notes;
};

static const struct option_row set_rows[] = {
    OPTION_STR(struct account_settings, tier, "tier", "TIER", NULL,
               "free, starter, pro or enterprise (P3 to P0)"),
    OPTION_STR(struct account_settings, builds, "builds", "N", NULL,
               "builds a month: a number, unlimited, or tier for the tier's own"),
    OPTION_STR(struct account_settings, running, "running", "N", NULL,
               "jobs at the same time: a number, or tier for the tier's own"),
    OPTION_STR(struct account_settings, timeout_min, "timeout-min", "MIN", NULL,
               "minutes a build may take, in place of the tier's; or tier"),
    OPTION_STR(struct account_settings, bundle_mb, "bundle-mb", "MB", NULL,
               "largest bundle with its assets (1 MB = 10^6 bytes); or tier"),
    OPTION_STR(struct account_settings, source_mb, "source-mb", "MB", NULL,
               "largest source archive; or tier"),
    OPTION_STR(struct account_settings, storage_gb, "storage-gb", "GB", NULL,
               "what its artifacts may take (1 GB = 2^30 bytes); or tier"),
    OPTION_STR(struct account_settings, rate, "rate", "N/SECONDS", NULL,
               "jobs that may start in so many seconds: 10/60; off: any; or tier"),
    OPTION_STR(struct account_settings, budget_min, "budget-min", "MIN", NULL,
               "minutes of worker time a month that are announced when they are reached; or none"),
    OPTION_STR(struct account_settings, name, "name", "TEXT", NULL, "the organisation's name"),
    OPTION_STR(struct account_settings, notes, "notes", "TEXT", NULL,
               "operators' notes; the account does not see them"),
};

static bool is_tiers_own(const char *text)
{
    return !strcmp(text, "tier");
}

static int builds_fill(const struct cli *cli, const char *text, Rota__AccountSet *op)
{
    if (!text)
        return 0;
    if (!strcmp(text, "unlimited") || is_tiers_own(text)) {
        op->set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
        op->builds_unlimited = *text == 'u';
        return 0;
    }
    uint64_t n;
    if (!amount_read(text, UINT32_MAX, &n))
        return cli_usage(cli, "--builds %s: a number, unlimited or tier", text);
    op->set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
    op->builds_month = n;
    return 0;
}

static int running_fill(const struct cli *cli, const char *text, Rota__AccountSet *op)
{
    uint64_t n = 0;
    if (!text)
        return 0;
    if (!is_tiers_own(text) && (!amount_read(text, UINT32_MAX, &n) || !n))
        return cli_usage(cli, "--running %s: a number from 1 on, or tier", text);
    op->set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    op->running_max = (uint32_t)n;
    return 0;
}

static int tier_fill(const char *text, Rota__AccountSet *op)
{
    if (!text)
        return 0;
    int tier = tier_by_name(text);
    if (tier < 0)
        return cli_error(E_TIER_UNKNOWN, "there is no tier %s", text);
    op->set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    op->tier = (Rota__Tier)tier;
    return 0;
}

/* Numbers that take the place of the tier's: each an option in a unit of its own. */
static int own_read(const struct cli *cli, const char *option, const char *text, uint64_t unit,
                    uint64_t *ret_value)
{
    *ret_value = 0;
    if (is_tiers_own(text) || (amount_read_in(text, unit, ret_value) && *ret_value))
        return 0;
    return cli_usage(cli, "%s %s: a number from 1 on, or tier", option, text);
}

static int sizes_fill(const struct cli *cli, const struct account_settings *s, Rota__AccountSet *op)
{
    int code = 0;
    if (s->bundle_mb) {
        op->set_bundle_case = ROTA__ACCOUNT_SET__SET_BUNDLE_BUNDLE_BYTES_MAX;
        code = own_read(cli, "--bundle-mb", s->bundle_mb, AMOUNT_MB, &op->bundle_bytes_max);
    }
    if (!code && s->source_mb) {
        op->set_source_case = ROTA__ACCOUNT_SET__SET_SOURCE_SOURCE_BYTES_MAX;
        code = own_read(cli, "--source-mb", s->source_mb, AMOUNT_MB, &op->source_bytes_max);
    }
    if (!code && s->storage_gb) {
        op->set_storage_case = ROTA__ACCOUNT_SET__SET_STORAGE_STORAGE_BYTES_MAX;
        code = own_read(cli, "--storage-gb", s->storage_gb, AMOUNT_GIB, &op->storage_bytes_max);
    }
    return code;
}

static int times_fill(const struct cli *cli, const struct account_settings *s, Rota__AccountSet *op,
                      Rota__Rate *rate)
{
    int code = 0;
    if (s->timeout_min) {
        op->set_timeout_case = ROTA__ACCOUNT_SET__SET_TIMEOUT_TIMEOUT_MS;
        code = own_read(cli, "--timeout-min", s->timeout_min, AMOUNT_MINUTE, &op->timeout_ms);
    }
    if (code || !s->rate)
        return code;
    op->rate = rate;
    rota__rate__init(rate);
    if (!is_tiers_own(s->rate) && !amount_rate_read(s->rate, rate))
        return cli_usage(cli, "--rate %s: like 10/60, off or tier", s->rate);
    return 0;
}

static int budget_fill(const struct cli *cli, const char *text, Rota__AccountSet *op)
{
    if (!text)
        return 0;
    op->set_budget_case = ROTA__ACCOUNT_SET__SET_BUDGET_BUDGET_MS;
    if (!strcmp(text, "none") ||
        (amount_read_in(text, AMOUNT_MINUTE, &op->budget_ms) && op->budget_ms))
        return 0;
    return cli_usage(cli, "--budget-min %s: a number from 1 on, or none", text);
}

static void words_fill(const struct account_settings *s, Rota__AccountSet *op)
{
    if (s->name) {
        op->set_name_case = ROTA__ACCOUNT_SET__SET_NAME_NAME;
        op->name = (char *)s->name;
    }
    if (s->notes) {
        op->set_notes_case = ROTA__ACCOUNT_SET__SET_NOTES_NOTES;
        op->notes = (char *)s->notes;
    }
}

static void account_row(struct table *t, const Rota__Account *a)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1], used[TEXT_SHORT_LEN + 1];
    table_cell(t, STYLE_HEAD, "%s", a->account);
    table_cell(t, STYLE_PLAIN, "%s %s", pb_word(&rota__tier__descriptor, (int)a->tier, word),
               tier_name(a->tier));
    table_cell(t, STYLE_PLAIN, "%s/%s", text_count(a->builds_used, used),
               a->builds_unlimited ? "unlimited" : text_count(a->builds_month, text));
    table_cell(t, STYLE_PLAIN, "%llu/%u", (unsigned long long)a->leased, a->running_max);
    table_cell(t, STYLE_PLAIN, "%s", text_duration(a->timeout_ms, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(a->ready, text));
    table_cell(t, a->bars ? STYLE_WARN : STYLE_DIM, "%s", bars_text(a->bars, text));
    table_cell(t, STYLE_DIM, "%s", text_time(a->created_ms, text));
}

#define ACCOUNT_COLUMNS "ACCOUNT TIER BUILDS/MONTH> RUNNING> TIMEOUT> READY> BARS CREATED"

static int account_set_run(struct cli *cli)
{
    const struct account_settings *s = cli->settings;
    Rota__AccountSet op = ROTA__ACCOUNT_SET__INIT;
    Rota__Rate rate;
    op.account = cli->args[0];
    int code = tier_fill(s->tier, &op);
    if (!code)
        code = builds_fill(cli, s->builds, &op);
    if (!code)
        code = running_fill(cli, s->running, &op);
    if (!code)
        code = sizes_fill(cli, s, &op);
    if (!code)
        code = times_fill(cli, s, &op, &rate);
    if (!code)
        code = budget_fill(cli, s->budget_min, &op);
    if (code)
        return code;
    words_fill(s, &op);
    CLI_REQUEST(request, ACCOUNT_SET, account_set, &op);
    AUTO_REPLY reply = NULL;
    code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__AccountSetResult *result = reply->account_set;
    if (!result->account)
        return cli_error(E_MALFORMED, "the broker's answer holds no account");
    if (cli->common->json)
        return cli_print(page_object(&result->account->base, "created", result->created));
    AUTO(table) t = table_new(ACCOUNT_COLUMNS);
    account_row(t, result->account);
    table_print(t);
    return EXIT_OK;
}

const struct command command_account_set = {
    .name = "account set",
    .args = "ID [--tier TIER] [--builds N|unlimited] [--running N] [--timeout-min MIN] ...",
    .about = "changes an account; makes it when there is none of that id",
    .details = "A number of its own takes the place of the tier's, and a timeout of its own also "
               "that of the tier's maximum. The word tier gives the tier's back.",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct account_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = account_set_run,
};

static void list_fill(struct cli *cli, struct page_request *p, const char *cursor)
{
    (void)cli;
    rota__account_list__init(&p->account_list);
    p->account_list.cursor = (char *)cursor;
    p->account_list.limit = PAGE_ROWS;
    p->request.op_case = ROTA__REQUEST__OP_ACCOUNT_LIST;
    p->request.account_list = &p->account_list;
}

static const char *list_rows(struct table *t, const Rota__Reply *reply)
{
    for (size_t i = 0; t && i < reply->account_list->n_account; i++)
        account_row(t, reply->account_list->account[i]);
    return reply->account_list->next_cursor;
}

static int account_list_run(struct cli *cli)
{
    static const struct page_kind kind = {ACCOUNT_COLUMNS, "accounts", list_fill, list_rows};
    return page_list(cli, &kind);
}

const struct command command_account_list = {
    .name = "account list",
    .args = "",
    .about = "lists the accounts with their limits and depths",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = account_list_run,
};

/* ---- one account ---- */

static void show_use(const Rota__AccountGetResult *g)
{
    const Rota__Account *a = g->account;
    const Rota__Limits *l = g->limits;
    char one[TEXT_SHORT_LEN + 1], two[TEXT_SHORT_LEN + 1];
    limits_line("builds", "%s of %s this month; the next begins %s",
                text_count(a->builds_used, one),
                l->builds_unlimited ? "unlimited" : text_count(l->builds_month, two),
                text_time(g->month_ends_ms, (char[TEXT_SHORT_LEN + 1]){0}));
    limits_line("running", "%llu of %u; %llu ready, %llu delayed, %llu held",
                (unsigned long long)a->leased, l->running_max, (unsigned long long)a->ready,
                (unsigned long long)a->delayed, (unsigned long long)a->held);
    limits_line("storage", "%s of %s", text_bytes(a->storage_bytes, one),
                binary_text(l->storage_bytes_max, two));
    if (a->budget_ms)
        limits_line("budget", "%s of worker time a month", text_duration(a->budget_ms, one));
    limits_line("kept", "%llu succeeded, %llu others", (unsigned long long)g->kept_succeeded,
                (unsigned long long)g->kept_failed);
}

static void show_limits(const Rota__Limits *l)
{
    char one[TEXT_SHORT_LEN + 1], two[TEXT_SHORT_LEN + 1], rate[AMOUNT_RATE_LEN + 1];
    limits_line("timeout", "%s; with add-ons at most %s", text_duration(l->timeout_ms, one),
                text_duration(l->timeout_ms_max, two));
    limits_line("bundle", "%s", text_bytes(l->bundle_bytes_max, one));
    limits_line("source", "%s", text_bytes(l->source_bytes_max, one));
    limits_line("memory", "%s a job", binary_text(l->memory_bytes, one));
    limits_line("starts", "%s", amount_rate_text(l->rate_n, l->rate_ms, rate));
}

static void show_print(const Rota__AccountGetResult *g)
{
    const Rota__Account *a = g->account;
    char text[TEXT_SHORT_LEN + 1], word[PB_WORD_LEN + 1];
    char *title = text_clean(a->name);
    printf("%s  %s %s%s%s\n", a->account, pb_word(&rota__tier__descriptor, (int)a->tier, word),
           tier_name(a->tier), *title ? "  " : "", title);
    free(title);
    show_use(g);
    show_limits(g->limits);
    if (a->bars)
        limits_line("bars", "%s", bars_text(a->bars, text));
    if (g->rate_free_at_ms)
        limits_line("next start", "%s", text_time(g->rate_free_at_ms, text));
    if (g->review)
        limits_line("review", "%llu", (unsigned long long)g->review);
    limits_line("created", "%s", text_time(a->created_ms, text));
    if (*a->notes)
        limits_line("notes", "%s", a->notes);
    for (size_t i = 0; i < g->n_grant; i++)
        grant_line(g->grant[i]);
}

static int account_show_run(struct cli *cli)
{
    Rota__AccountGet op = ROTA__ACCOUNT_GET__INIT;
    op.account = cli->n_args ? cli->args[0] : (char *)"";
    CLI_REQUEST(request, ACCOUNT_GET, account_get, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__AccountGetResult *g = reply->account_get;
    if (!g->account || !g->limits)
        return cli_error(E_MALFORMED, "the broker's answer holds no account");
    if (cli->common->json)
        return cli_print_message(&g->base);
    show_print(g);
    return EXIT_OK;
}

const struct command command_account_show = {
    .name = "account show",
    .args = "[ID]",
    .about = "shows an account: limits in force, add-ons, what it has used",
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = account_show_run,
};
