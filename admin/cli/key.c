/* key.c: `rota key create`, `rota key list` and `rota key revoke`. A new key is shown this once;
 * with --out it goes straight into a key file (0600, environment in the second line) and never over
 * the screen.        */
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct key_settings {
    struct common common;
    const char *account, *name, *role, *out;
};

static const struct option_row create_rows[] = {
    OPTION_STR(struct key_settings, role, "role", "ROLE", "account",
               "operator, account, worker or gateway"),
    OPTION_STR(struct key_settings, account, "account", "ID", NULL, "whose key (role account)"),
    OPTION_STR(struct key_settings, name, "name", "TEXT", NULL, "a word to know it by"),
    OPTION_STR(struct key_settings, out, "out", "FILE", NULL,
               "write a key file instead of printing the key"),
};

static const struct option_row list_rows[] = {
    OPTION_STR(struct key_settings, account, "account", "ID", NULL, "only this account's keys"),
};

#define KEY_COLUMNS "SERIAL> PREFIX ROLE ACCOUNT NAME CREATED REVOKED"

static void key_row(struct table *t, const Rota__Key *key)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    table_cell(t, STYLE_PLAIN, "%u", key->serial);
    table_cell(t, STYLE_HEAD, "%s", key->prefix);
    table_cell(t, STYLE_PLAIN, "%s", pb_word(&rota__role__descriptor, (int)key->role, word));
    table_cell(t, STYLE_PLAIN, "%s", *key->account ? key->account : "-");
    table_cell(t, STYLE_PLAIN, "%s", key->name);
    table_cell(t, STYLE_DIM, "%s", text_time(key->created_ms, text));
    table_cell(t, key->revoked_ms ? STYLE_BAD : STYLE_DIM, "%s", text_time(key->revoked_ms, text));
}

/* Before the key is made: a key that could not be written down would be lost, and in force. */
static int key_file_claim(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_io(path, -errno);
    close(fd);
    return EXIT_OK;
}

static int key_file_write(const struct cli *cli, const char *path, const char *credential)
{
    char *text = x_printf("%s\n%s\n", credential, cli->environment);
    int r = file_write(path, 0600, text, strlen(text));
    sodium_memzero(text, strlen(text));
    free(text);
    return r < 0 ? cli_io(path, r) : EXIT_OK;
}

static int key_show(struct cli *cli, const Rota__KeyCreateResult *result)
{
    const struct key_settings *s = cli->settings;
    if (s->out) {
        int code = key_file_write(cli, s->out, result->credential);
        if (code)
            return code;
    }
    if (cli->common->json) {
        json_t *document = pb_json(&result->key->base);
        json_object_set_new(document, s->out ? "key_file" : "credential",
                            json_string(s->out ? s->out : result->credential));
        return cli_print(document);
    }
    if (s->out) {
        printf("%s\n", s->out);
        return EXIT_OK;
    }
    puts(result->credential);
    fprintf(stderr, "This is the only time that the key is shown.\n");
    return EXIT_OK;
}

static int key_create_run(struct cli *cli)
{
    const struct key_settings *s = cli->settings;
    Rota__KeyCreate op = ROTA__KEY_CREATE__INIT;
    int role = pb_word_value(&rota__role__descriptor, s->role);
    if (role < 0)
        return cli_error(E_ROLE_UNKNOWN, "there is no role %s", s->role);
    op.role = (Rota__Role)role;
    op.account = (char *)(s->account ? s->account : "");
    op.name = (char *)(s->name ? s->name : "");
    CLI_REQUEST(request, KEY_CREATE, key_create, &op);
    AUTO_REPLY reply = NULL;
    int code = s->out ? key_file_claim(s->out) : EXIT_OK;
    if (code)
        return code;
    code = cli_call(cli, &request, &reply);
    if (code == EXIT_OK && !reply->key_create->key)
        code = cli_error(E_MALFORMED, "the broker's answer holds no key");
    if (code && s->out)
        unlink(s->out);
    if (code)
        return code;
    code = key_show(cli, reply->key_create);
    sodium_memzero(reply->key_create->credential, strlen(reply->key_create->credential));
    return code;
}

const struct command command_key_create = {
    .name = "key create",
    .args = "[--role ROLE] [--account ID] [--name TEXT] [--out FILE]",
    .about = "makes an API key and shows it once",
    .rows = create_rows,
    .n_rows = ARRAY_LEN(create_rows),
    .settings_bytes = sizeof(struct key_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = key_create_run,
};

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

/* "12" is a serial, anything else the first characters of a key. */
static int key_revoke_run(struct cli *cli)
{
    Rota__KeyRevoke op = ROTA__KEY_REVOKE__INIT;
    char *end;
    errno = 0;
    unsigned long serial = strtoul(cli->args[0], &end, 10);
    if (!errno && !*end && serial && serial <= UINT32_MAX)
        op.serial = (uint32_t)serial;
    else
        op.prefix = cli->args[0];
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
