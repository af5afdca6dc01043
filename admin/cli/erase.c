/* erase.c: `rota account export` and `rota account erase`: what an account may ask for by law. */
#include "commands.h"
#include "pbjson.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

struct erase_settings {
    struct common common;
    const char *confirm, *reason;
};

static const struct option_row erase_rows[] = {
    OPTION_STR(struct erase_settings, confirm, "confirm", "ID", NULL,
               "repeat the account's id; nothing can be taken back"),
};

static int erase_run(struct cli *cli)
{
    const struct erase_settings *s = cli->settings;
    Rota__AccountErase op = ROTA__ACCOUNT_ERASE__INIT;
    op.account = cli->args[0];
    op.confirm = (char *)(s->confirm ? s->confirm : "");
    CLI_REQUEST(request, ACCOUNT_ERASE, account_erase, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->account_erase->base);
    printf("%s is being erased: its jobs end, then all that is its own goes\n", cli->args[0]);
    return EXIT_OK;
}

/* ---- export ---- */

static const struct option_row export_rows[] = {
    OPTION_STR(struct erase_settings, reason, "reason", "TEXT", "account export",
               "why the addresses are read; stands in the trail"),
};

/* One line: {"kind": "...", ...the message}. */
static int line(const char *kind, const ProtobufCMessage *message)
{
    json_t *document = json_object();
    json_object_set_new(document, "kind", json_string(kind));
    json_object_set_new(document, kind, pb_json(message));
    cli_print_line(document);
    return EXIT_OK;
}

/* The requests that answer at once; each is one line. An operator's key is needed for some, and
 * what the key may not read is left out, with a word on stderr. */
struct part {
    const char *kind;
    void (*fill)(Rota__Request *request, char *account);
    const ProtobufCMessage *(*message)(const Rota__Reply *reply);
};

#define PART(kind_, CASE, member_, init)                                                           \
    static void fill_##kind_(Rota__Request *request, char *account)                                \
    {                                                                                              \
        static typeof(*request->member_) op;                                                       \
        init(&op);                                                                                 \
        op.account = account;                                                                      \
        request->op_case = ROTA__REQUEST__OP_##CASE;                                               \
        request->member_ = &op;                                                                    \
    }                                                                                              \
    static const ProtobufCMessage *message_##kind_(const Rota__Reply *reply)                       \
    {                                                                                              \
        return &reply->member_->base;                                                              \
    }
PART(account, ACCOUNT_GET, account_get, rota__account_get__init)
PART(members, MEMBER_LIST, member_list, rota__member_list__init)
PART(presets, PRESET_LIST, preset_list, rota__preset_list__init)
PART(schedules, SCHEDULE_LIST, schedule_list, rota__schedule_list__init)
PART(keys, KEY_LIST, key_list, rota__key_list__init)
PART(apps, APP_LIST, app_list, rota__app_list__init)
PART(reviews, REVIEW_LIST, review_list, rota__review_list__init)

static const struct part parts[] = {
    {"account", fill_account, message_account},
    {"members", fill_members, message_members},
    {"apps", fill_apps, message_apps},
    {"presets", fill_presets, message_presets},
    {"schedules", fill_schedules, message_schedules},
    {"keys", fill_keys, message_keys},
    {"reviews", fill_reviews, message_reviews},
};

/* A refusal for lack of rights leaves the part out; any other ends the export. */
static int ask(struct cli *cli, Rota__Request *request, const char *kind, Rota__Reply **ret_reply)
{
    int code = cli_try(cli, request, 0, ret_reply);
    if (code || !(*ret_reply)->error)
        return code;
    const Rota__Error *error = (*ret_reply)->error;
    enum error_code e = error_by_name(error->name);
    if (e != E_NOT_ALLOWED && e != E_SCOPE_MISSING)
        return cli_error(e, "%s", error->text);
    fprintf(stderr, "rota: %s left out: %s\n", kind, error->text);
    reply_freep(ret_reply);
    *ret_reply = NULL;
    return EXIT_OK;
}

static int parts_run(struct cli *cli)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        Rota__Request request = ROTA__REQUEST__INIT;
        AUTO_REPLY reply = NULL;
        parts[i].fill(&request, cli->args[0]);
        int code = ask(cli, &request, parts[i].kind, &reply);
        if (code == EXIT_OK && reply)
            code = line(parts[i].kind, parts[i].message(reply));
        if (code)
            return code;
    }
    return EXIT_OK;
}

static int usage_run(struct cli *cli)
{
    Rota__Usage op = ROTA__USAGE__INIT;
    AUTO_REPLY reply = NULL;
    op.account = cli->args[0];
    op.months = 24;
    CLI_REQUEST(request, USAGE, usage, &op);
    int code = ask(cli, &request, "usage", &reply);
    return code || !reply ? code : line("usage", &reply->usage->base);
}

static int addresses_run(struct cli *cli)
{
    const struct erase_settings *s = cli->settings;
    Rota__AddressList op = ROTA__ADDRESS_LIST__INIT;
    AUTO_REPLY reply = NULL;
    op.account = cli->args[0];
    op.reason = (char *)s->reason;
    CLI_REQUEST(request, ADDRESS_LIST, address_list, &op);
    int code = ask(cli, &request, "addresses", &reply);
    return code || !reply ? code : line("addresses", &reply->address_list->base);
}

static int jobs_run(struct cli *cli)
{
    char cursor[160] = "";
    do {
        Rota__List op = ROTA__LIST__INIT;
        AUTO_REPLY reply = NULL;
        op.account = cli->args[0];
        op.limit = 100;
        op.cursor = cursor;
        CLI_REQUEST(request, LIST, list, &op);
        int code = cli_call(cli, &request, &reply);
        if (code)
            return code;
        for (size_t i = 0; i < reply->list->n_job; i++)
            line("job", &reply->list->job[i]->base);
        snprintf(cursor, sizeof cursor, "%s", reply->list->next_cursor);
    } while (*cursor);
    return EXIT_OK;
}

static int export_run(struct cli *cli)
{
    int code = parts_run(cli);
    if (code == EXIT_OK)
        code = usage_run(cli);
    if (code == EXIT_OK)
        code = addresses_run(cli);
    return code == EXIT_OK ? jobs_run(cli) : code;
}

const struct command command_account_erase = {
    .name = "account erase",
    .args = "ID --confirm ID",
    .about = "ends an account's jobs and removes all that is its own",
    .rows = erase_rows,
    .n_rows = ARRAY_LEN(erase_rows),
    .settings_bytes = sizeof(struct erase_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = erase_run,
};

const struct command command_account_export = {
    .name = "account export",
    .args = "ID",
    .about = "prints all that is kept of an account, as JSON lines",
    .rows = export_rows,
    .n_rows = ARRAY_LEN(export_rows),
    .settings_bytes = sizeof(struct erase_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY,
    .run = export_run,
};
