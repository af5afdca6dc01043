/* app.c: `rota app create`, `rota app set` and `rota app list`. Create and set are one operation of
 * the broker; both words are there because people look for both. */
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

struct app_settings {
    struct common common;
    const char *account, *archived, *repository;
    struct option_list platform;
};

static const struct option_row set_rows[] = {
    OPTION_STR(struct app_settings, account, "account", "ID", NULL,
               "whose app (the key's own account; for an operator local)"),
    OPTION_LIST(struct app_settings, platform, "platform", "PLATFORM",
                "android or ios; may be repeated (both without)"),
    OPTION_STR(struct app_settings, archived, "archived", "YES", NULL,
               "yes: takes no builds any more; no: takes them again"),
    OPTION_STR(
        struct app_settings, repository, "repository", "URL", NULL,
        "https:// address of its sources; its secret ROTA_GIT_TOKEN then goes to builds from there "
        "alone, and to all of its builds while there is none (\"\")"),
};

static const struct option_row list_rows[] = {
    OPTION_STR(struct app_settings, account, "account", "ID", NULL, "only this account's apps"),
};

static void app_row(struct table *t, const Rota__App *app)
{
    char text[TEXT_SHORT_LEN + 1];
    char *platforms = x_strdup("");
    for (size_t i = 0; i < app->n_platform; i++) {
        char *longer = x_printf("%s%s%s", platforms, i ? "," : "", app->platform[i]);
        free(platforms);
        platforms = longer;
    }
    table_cell(t, STYLE_HEAD, "%s", app->app);
    table_cell(t, STYLE_PLAIN, "%s", app->account);
    table_cell(t, STYLE_PLAIN, "%s", platforms);
    table_cell(t, STYLE_PLAIN, "%s", app->archived ? "archived" : "active");
    table_cell(t, STYLE_DIM, "%s", text_time(app->created_ms, text));
    table_cell(t, STYLE_DIM, "%s", *app->repository ? app->repository : "-");
    free(platforms);
}

#define APP_COLUMNS "APP ACCOUNT PLATFORMS STATE CREATED REPOSITORY"

static int app_fill(const struct cli *cli, Rota__AppSet *op)
{
    const struct app_settings *s = cli->settings;
    op->account = (char *)(s->account ? s->account : "");
    op->app = cli->args[0];
    op->platform = (char **)s->platform.item;
    op->n_platform = s->platform.n;
    if (s->repository) {
        op->set_repository_case = ROTA__APP_SET__SET_REPOSITORY_REPOSITORY;
        op->repository = (char *)(uintptr_t)s->repository;
    }
    if (!s->archived)
        return 0;
    bool yes = !strcmp(s->archived, "yes");
    if (!yes && strcmp(s->archived, "no") != 0)
        return cli_usage(cli, "--archived %s: yes or no", s->archived);
    op->set_archived_case = ROTA__APP_SET__SET_ARCHIVED_ARCHIVED;
    op->archived = yes;
    return 0;
}

static int app_set_run(struct cli *cli)
{
    Rota__AppSet op = ROTA__APP_SET__INIT;
    int code = app_fill(cli, &op);
    if (code)
        return code;
    CLI_REQUEST(request, APP_SET, app_set, &op);
    AUTO_REPLY reply = NULL;
    code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__AppSetResult *result = reply->app_set;
    if (!result->app)
        return cli_error(E_MALFORMED, "the broker's answer holds no app");
    if (cli->common->json)
        return cli_print(page_object(&result->app->base, "created", result->created));
    AUTO(table) t = table_new(APP_COLUMNS);
    app_row(t, result->app);
    table_print(t);
    return EXIT_OK;
}

const struct command command_app_create = {
    .name = "app create",
    .args = "NAME [--account ID] [--platform android|ios]... [--repository URL]",
    .about = "makes an app; one that exists stays as it is, but for what is named",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct app_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = app_set_run,
};

const struct command command_app_set = {
    .name = "app set",
    .args =
        "NAME [--account ID] [--platform android|ios]... [--archived yes|no] [--repository URL]",
    .about = "changes an app",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct app_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = app_set_run,
};

static void app_list_fill(struct cli *cli, struct page_request *p, const char *cursor)
{
    const struct app_settings *s = cli->settings;
    rota__app_list__init(&p->app_list);
    p->app_list.account = (char *)(s->account ? s->account : "");
    p->app_list.cursor = (char *)cursor;
    p->app_list.limit = PAGE_ROWS;
    p->request.op_case = ROTA__REQUEST__OP_APP_LIST;
    p->request.app_list = &p->app_list;
}

static const char *app_list_rows(struct table *t, const Rota__Reply *reply)
{
    for (size_t i = 0; t && i < reply->app_list->n_app; i++)
        app_row(t, reply->app_list->app[i]);
    return reply->app_list->next_cursor;
}

static int app_list_run(struct cli *cli)
{
    static const struct page_kind kind = {APP_COLUMNS, "apps", app_list_fill, app_list_rows};
    return page_list(cli, &kind);
}

const struct command command_app_list = {
    .name = "app list",
    .args = "[--account ID]",
    .about = "lists apps",
    .rows = list_rows,
    .n_rows = ARRAY_LEN(list_rows),
    .settings_bytes = sizeof(struct app_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = app_list_run,
};
