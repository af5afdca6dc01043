/* var.c: `rota var set|list|remove`: environment variables of an app's builds. The value of a
 * secret comes from a file or standard input, never from the command line, where other users of the
 * machine could read it, and is never shown again. */
#include "commands.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_MAX = 4096 };

struct var_settings {
    struct common common;
    const char *account, *app, *value_file;
    bool secret;
};

#define WHOSE_ROWS                                                                                 \
    OPTION_STR(struct var_settings, account, "account", "ID", NULL,                                \
               "whose app (the key's own account; for an operator local)"),                        \
        OPTION_STR(struct var_settings, app, "app", "APP", NULL, "which app")

static const struct option_row set_rows[] = {
    WHOSE_ROWS,
    OPTION_STR(struct var_settings, value_file, "value-file", "FILE", NULL,
               "take the value from this file; - is standard input"),
    OPTION_FLAG(struct var_settings, secret, "secret",
                "seal the value under the app's key; only a build's worker gets it back"),
};
static const struct option_row app_rows[] = {WHOSE_ROWS};

/* One line without its end. */
static int value_read(const char *path, char value[VALUE_MAX + 2], size_t *ret_n)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!in)
        return cli_io(path, -errno);
    size_t n = fread(value, 1, VALUE_MAX + 1, in);
    bool failed = ferror(in);
    if (in != stdin)
        fclose(in);
    if (failed)
        return cli_io(path, -EIO);
    if (n > VALUE_MAX)
        return cli_error(E_FIELD_TOO_LONG, "the value has more than %d bytes", VALUE_MAX);
    while (n > 0 && (value[n - 1] == '\n' || value[n - 1] == '\r'))
        n--;
    *ret_n = n;
    return EXIT_OK;
}

static int value_of(const struct cli *cli, char value[VALUE_MAX + 2], size_t *ret_n)
{
    const struct var_settings *s = cli->settings;
    if (s->value_file && cli->n_args > 1)
        return cli_usage(cli, "both a VALUE and --value-file are given");
    if (s->secret && cli->n_args > 1)
        return cli_usage(cli, "a secret's value does not belong on the command line: pass "
                              "--value-file FILE, or - for standard input");
    if (cli->n_args <= 1)
        return value_read(s->value_file ? s->value_file : "-", value, ret_n);
    *ret_n = strlen(cli->args[1]);
    if (*ret_n > VALUE_MAX)
        return cli_error(E_FIELD_TOO_LONG, "the value has more than %d bytes", VALUE_MAX);
    memcpy(value, cli->args[1], *ret_n);
    return EXIT_OK;
}

static int var_send(struct cli *cli, Rota__VarSet *op)
{
    const struct var_settings *s = cli->settings;
    op->account = (char *)(s->account ? s->account : "");
    op->app = (char *)(s->app ? s->app : "");
    op->name = cli->args[0];
    op->secret = s->secret;
    CLI_REQUEST(request, VAR_SET, var_set, op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->var_set->var->base);
    printf("%s %s\n", cli->args[0], op->remove ? "removed" : "set");
    return EXIT_OK;
}

static int var_set_run(struct cli *cli)
{
    Rota__VarSet op = ROTA__VAR_SET__INIT;
    char value[VALUE_MAX + 2];
    size_t n = 0;
    int code = value_of(cli, value, &n);
    op.value = (ProtobufCBinaryData){n, (uint8_t *)value};
    if (code == EXIT_OK)
        code = var_send(cli, &op);
    sodium_memzero(value, sizeof value);
    return code;
}

static int var_remove_run(struct cli *cli)
{
    Rota__VarSet op = ROTA__VAR_SET__INIT;
    op.remove = true;
    return var_send(cli, &op);
}

static int var_list_run(struct cli *cli)
{
    const struct var_settings *s = cli->settings;
    Rota__VarList op = ROTA__VAR_LIST__INIT;
    char text[TEXT_SHORT_LEN + 1];
    op.account = (char *)(s->account ? s->account : "");
    op.app = (char *)(s->app ? s->app : "");
    CLI_REQUEST(request, VAR_LIST, var_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->var_list->base);
    AUTO(table) t = table_new("NAME VALUE SET");
    for (size_t i = 0; i < reply->var_list->n_var; i++) {
        const Rota__Var *var = reply->var_list->var[i];
        table_cell(t, STYLE_HEAD, "%s", var->name);
        table_cell(t, var->secret ? STYLE_DIM : STYLE_PLAIN, "%s",
                   var->secret ? "(secret)" : var->value);
        table_cell(t, STYLE_DIM, "%s", text_time(var->set_ms, text));
    }
    table_print(t);
    return EXIT_OK;
}

#define VAR_COMMAND(id, words, usage, what, options, least, most, body)                            \
    const struct command command_##id = {                                                          \
        .name = (words),                                                                           \
        .args = (usage),                                                                           \
        .about = (what),                                                                           \
        .rows = (options),                                                                         \
        .n_rows = ARRAY_LEN(options),                                                              \
        .settings_bytes = sizeof(struct var_settings),                                             \
        .args_min = (least),                                                                       \
        .args_max = (most),                                                                        \
        .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,                                           \
        .run = (body),                                                                             \
    }

VAR_COMMAND(var_set, "var set", "NAME [VALUE] --app APP [--secret] [--value-file FILE]",
            "sets a variable of an app's builds", set_rows, 1, 2, var_set_run);
VAR_COMMAND(var_list, "var list", "--app APP", "lists an app's variables", app_rows, 0, 0,
            var_list_run);
VAR_COMMAND(var_remove, "var remove", "NAME --app APP", "removes a variable", app_rows, 1, 1,
            var_remove_run);
