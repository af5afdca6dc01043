/* account.c: `rota account set` and `rota account list`. What is not named keeps what is stored. */
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"
#include "tiername.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct account_settings {
    struct common common;
    const char *tier, *builds, *running;
};

static const struct option_row set_rows[] = {
    OPTION_STR(struct account_settings, tier, "tier", "TIER", NULL,
               "free, starter, pro or enterprise (P3 to P0)"),
    OPTION_STR(struct account_settings, builds, "builds", "N", NULL,
               "builds a month: a number, unlimited, or tier for the tier's own"),
    OPTION_STR(struct account_settings, running, "running", "N", NULL,
               "jobs at the same time: a number, or tier for the tier's own"),
};

/* Reads a decimal number up to `most`; false when the text is none. */
static bool number_read(const char *text, uint64_t most, uint64_t *ret_n)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || *text == '+' || n > most)
        return false;
    *ret_n = n;
    return true;
}

static int builds_fill(const struct cli *cli, const char *text, Rota__AccountSet *op)
{
    if (!text)
        return 0;
    if (!strcmp(text, "unlimited") || !strcmp(text, "tier")) {
        op->set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
        op->builds_unlimited = *text == 'u';
        return 0;
    }
    uint64_t n;
    if (!number_read(text, UINT32_MAX, &n))
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
    if (strcmp(text, "tier") != 0 && (!number_read(text, UINT32_MAX, &n) || !n))
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

static void account_row(struct table *t, const Rota__Account *a)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    table_cell(t, STYLE_HEAD, "%s", a->account);
    table_cell(t, STYLE_PLAIN, "%s %s", pb_word(&rota__tier__descriptor, (int)a->tier, word),
               tier_name(a->tier));
    table_cell(t, STYLE_PLAIN, "%s",
               a->builds_unlimited ? "unlimited" : text_count(a->builds_month, text));
    table_cell(t, STYLE_PLAIN, "%llu/%u", (unsigned long long)a->leased, a->running_max);
    table_cell(t, STYLE_PLAIN, "%s", text_duration(a->timeout_ms, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(a->ready, text));
    table_cell(t, STYLE_DIM, "%s", text_time(a->created_ms, text));
}

#define ACCOUNT_COLUMNS "ACCOUNT TIER BUILDS/MONTH> RUNNING> TIMEOUT> READY> CREATED"

static int account_set_run(struct cli *cli)
{
    const struct account_settings *s = cli->settings;
    Rota__AccountSet op = ROTA__ACCOUNT_SET__INIT;
    op.account = cli->args[0];
    int code = tier_fill(s->tier, &op);
    if (!code)
        code = builds_fill(cli, s->builds, &op);
    if (!code)
        code = running_fill(cli, s->running, &op);
    if (code)
        return code;
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
    .args = "ID [--tier TIER] [--builds N|unlimited] [--running N]",
    .about = "changes an account; makes it when there is none of that id",
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
