/* list.c: `rota list`: jobs, newest first. Pages are fetched until --limit is reached, because the
 * broker gives at most 100 at a time. */
#include "commands.h"
#include "job.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <base/clock.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 100 };

struct list_settings {
    struct common common;
    const char *account, *app, *state, *cursor;
    uint64_t limit;
};

static const struct option_row rows[] = {
    OPTION_STR(struct list_settings, account, "account", "ID", NULL, "only this account's jobs"),
    OPTION_STR(struct list_settings, app, "app", "APP", NULL, "only this app's jobs"),
    OPTION_STR(struct list_settings, state, "state", "STATE", NULL,
               "only jobs that are ready, delayed, held, leased, succeeded, failed, timed_out, "
               "cancelled or dead"),
    OPTION_U64(struct list_settings, limit, "limit", "N", 20, 1, 100000, "at most so many"),
    OPTION_STR(struct list_settings, cursor, "cursor", "CURSOR", NULL,
               "go on where the list before ended (its next_cursor)"),
};

struct list {
    struct table *table; /* NULL: as JSON */
    json_t *jobs;
    char *cursor; /* of the next page; NULL: none */
    uint64_t left;
};

static void page_take(struct list *l, const Rota__ListResult *page)
{
    uint64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < page->n_job; i++) {
        if (l->table)
            job_row(l->table, page->job[i], now_ms);
        else
            json_array_append_new(l->jobs, pb_json(&page->job[i]->base));
    }
    l->left -= page->n_job < l->left ? page->n_job : l->left;
    free(l->cursor);
    l->cursor = *page->next_cursor ? x_strdup(page->next_cursor) : NULL;
}

static int page_read(struct cli *cli, struct list *l, Rota__State state)
{
    const struct list_settings *s = cli->settings;
    Rota__List op = ROTA__LIST__INIT;
    op.account = (char *)(s->account ? s->account : "");
    op.app = (char *)(s->app ? s->app : "");
    op.state = state;
    op.limit = l->left < PAGE_MAX ? (uint32_t)l->left : PAGE_MAX;
    op.cursor = l->cursor ? l->cursor : (char *)"";
    CLI_REQUEST(request, LIST, list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (!code)
        page_take(l, reply->list);
    return code;
}

static int list_print(struct list *l)
{
    if (!l->table) {
        json_t *document = json_pack("{s:O}", "jobs", l->jobs);
        if (l->cursor)
            json_object_set_new(document, "next_cursor", json_string(l->cursor));
        return cli_print(document);
    }
    table_print(l->table);
    if (l->cursor)
        printf("%smore: --cursor %s%s\n", term_on(STYLE_DIM), l->cursor, term_off(STYLE_DIM));
    return EXIT_OK;
}

static int list_run(struct cli *cli)
{
    const struct list_settings *s = cli->settings;
    int state = s->state ? pb_word_value(&rota__state__descriptor, s->state) : 0;
    if (state < 0)
        return cli_usage(cli, "--state %s: there is no such state", s->state);
    AUTO(table) table = cli->common->json ? NULL : table_new(JOB_COLUMNS);
    struct list l = {.table = table, .jobs = json_array(), .left = s->limit};
    l.cursor = s->cursor ? x_strdup(s->cursor) : NULL;
    int code;
    do
        code = page_read(cli, &l, (Rota__State)state);
    while (!code && l.left && l.cursor);
    if (!code)
        code = list_print(&l);
    json_decref(l.jobs);
    free(l.cursor);
    return code;
}

const struct command command_list = {
    .name = "list",
    .args = "[--account ID] [--app APP] [--state STATE] [--limit N]",
    .about = "lists jobs, newest first",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct list_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = list_run,
};
