/* key.c: `rota key list`, `rota key usage` and `rota key revoke`. */
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct key_settings {
    struct common common;
    const char *account;
};

static const struct option_row list_rows[] = {
    OPTION_STR(struct key_settings, account, "account", "ID", NULL, "only this account's keys"),
};

#define KEY_COLUMNS "SERIAL> PREFIX ACCOUNT ROLE SCOPES EXPIRES USED NAME"

/* "build:create,build:read"; "all" for a key that no scopes bound. */
static char *scopes_join(const Rota__Key *key)
{
    char *all = x_strdup(key->n_scope ? "" : "all");
    for (size_t i = 0; i < key->n_scope; i++) {
        char *longer = x_printf("%s%s%s", all, i ? "," : "", key->scope[i]);
        free(all);
        all = longer;
    }
    return all;
}

static void key_row(struct table *t, const Rota__Key *key)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    char *scopes = scopes_join(key);
    table_cell(t, STYLE_PLAIN, "%u", key->serial);
    table_cell(t, STYLE_HEAD, "%s", key->prefix);
    table_cell(t, STYLE_PLAIN, "%s", *key->account ? key->account : "-");
    table_cell(t, STYLE_PLAIN, "%s", pb_word(&rota__role__descriptor, (int)key->role, word));
    table_cell(t, STYLE_PLAIN, "%s%s%s", scopes, *key->app ? " app " : "", key->app);
    if (key->revoked_ms)
        table_cell(t, STYLE_BAD, "revoked");
    else
        table_cell(t, STYLE_PLAIN, "%s",
                   key->expires_ms ? text_time(key->expires_ms, text) : "never");
    table_cell(t, STYLE_DIM, "%s", text_time(key->last_used_ms, text));
    table_cell(t, STYLE_PLAIN, "%s%s%s", key->name, *key->name && *key->member ? " " : "",
               key->member);
    free(scopes);
}

static void key_list_fill(struct cli *cli, struct page_request *p, const char *cursor)
{
    const struct key_settings *s = cli->settings;
    rota__key_list__init(&p->key_list);
    p->key_list.account = (char *)(s->account ? s->account : "");
    p->key_list.cursor = (char *)cursor;
    p->key_list.limit = PAGE_ROWS;
    p->request.op_case = ROTA__REQUEST__OP_KEY_LIST;
    p->request.key_list = &p->key_list;
}

static const char *key_list_rows(struct table *t, const Rota__Reply *reply)
{
    for (size_t i = 0; t && i < reply->key_list->n_key; i++)
        key_row(t, reply->key_list->key[i]);
    return reply->key_list->next_cursor;
}

static int key_list_run(struct cli *cli)
{
    static const struct page_kind kind = {KEY_COLUMNS, "keys", key_list_fill, key_list_rows};
    return page_list(cli, &kind);
}

const struct command command_key_list = {
    .name = "key list",
    .args = "[--account ID]",
    .about = "lists keys by their first characters",
    .rows = list_rows,
    .n_rows = ARRAY_LEN(list_rows),
    .settings_bytes = sizeof(struct key_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = key_list_run,
};

/* "12" is a serial (returned), anything else the first characters of a key (0). */
static uint32_t serial_of(const char *text)
{
    char *end;
    errno = 0;
    unsigned long serial = strtoul(text, &end, 10);
    return !errno && !*end && serial && serial <= UINT32_MAX ? (uint32_t)serial : 0;
}

static void usage_show(const Rota__KeyUsageResult *u)
{
    char text[TEXT_SHORT_LEN + 1], most[TEXT_SHORT_LEN + 1], word[PB_WORD_LEN + 1];
    const Rota__Key *key = u->key;
    printf("key %u (%s…) of account %s, last used %s\n", key->serial, key->prefix, key->account,
           text_time(key->last_used_ms, text));
    printf("  %-10s %s", "requests", text_count(u->requests, text));
    if (key->rate_minute)
        printf(", at most %s a minute", text_count(key->rate_minute, text));
    printf("\n  %-10s %s, ", "builds", text_count(u->builds, text));
    printf("this month %s", text_count(u->builds_used, text));
    if (key->builds_month)
        printf(" of %s", text_count(key->builds_month, most));
    printf("\n");
    for (size_t i = 0; i < u->n_count; i++)
        printf("  %-10s %s\n", pb_word(&rota__state__descriptor, (int)u->count[i]->state, word),
               text_count(u->count[i]->jobs, text));
}

static int key_usage_run(struct cli *cli)
{
    Rota__KeyUsage op = ROTA__KEY_USAGE__INIT;
    op.serial = serial_of(cli->args[0]);
    op.prefix = (char *)(op.serial ? "" : cli->args[0]);
    CLI_REQUEST(request, KEY_USAGE, key_usage, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (!reply->key_usage->key)
        return cli_error(E_MALFORMED, "the broker's answer holds no key");
    if (cli->common->json)
        return cli_print_message(&reply->key_usage->base);
    usage_show(reply->key_usage);
    return EXIT_OK;
}

const struct command command_key_usage = {
    .name = "key usage",
    .args = "SERIAL|PREFIX",
    .about = "shows what a key has done: requests, builds and how they ended",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = key_usage_run,
};

static int key_revoke_run(struct cli *cli)
{
    Rota__KeyRevoke op = ROTA__KEY_REVOKE__INIT;
    op.serial = serial_of(cli->args[0]);
    op.prefix = (char *)(op.serial ? "" : cli->args[0]);
    CLI_REQUEST(request, KEY_REVOKE, key_revoke, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (!reply->key_revoke->key)
        return cli_error(E_MALFORMED, "the broker's answer holds no key");
    if (cli->common->json)
        return cli_print_message(&reply->key_revoke->key->base);
    printf("key %u (%s…) is revoked\n", reply->key_revoke->key->serial,
           reply->key_revoke->key->prefix);
    return EXIT_OK;
}

const struct command command_key_revoke = {
    .name = "key revoke",
    .args = "SERIAL|PREFIX",
    .about = "ends a key at once",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = key_revoke_run,
};
