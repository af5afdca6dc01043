/* key_create.c: `rota key create`. A new key is shown this once; with --out it goes straight into a
 * key file (0600, environment in the second line) and never over the screen. */
#include "amount.h"
#include "commands.h"
#include "pbjson.h"
#include "text.h"

#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RATE_MOST = 1000000, BUILDS_MOST = 1000000000 };

struct create_settings {
    struct common common;
    const char *account, *name, *role, *expires, *rate, *builds, *member, *app, *out;
    struct option_list scope;
    bool load;
};

static const struct option_row create_rows[] = {
    OPTION_STR(struct create_settings, role, "role", "ROLE", "account",
               "operator, account, worker or gateway"),
    OPTION_STR(struct create_settings, account, "account", "ID", NULL,
               "whose key (the key's own account; for an operator local)"),
    OPTION_STR(struct create_settings, name, "name", "TEXT", NULL, "a word to know it by"),
    OPTION_LIST(struct create_settings, scope, "scope", "SCOPE",
                "what it is good for; may be repeated (role account without: build:create and "
                "build:read)"),
    OPTION_STR(struct create_settings, expires, "expires", "TIME", NULL,
               "when it ends: 90d, 2027-01-31 or 2027-01-31T18:00Z (never without)"),
    OPTION_STR(struct create_settings, rate, "rate", "N", NULL,
               "requests a minute, or off (role account without: 100, else off)"),
    OPTION_STR(struct create_settings, builds, "builds", "N", NULL,
               "builds a month with this key (without: what the account may)"),
    OPTION_STR(struct create_settings, member, "member", "EMAIL", NULL,
               "the member of the account that it belongs to"),
    OPTION_STR(struct create_settings, app, "app", "NAME", NULL, "good for this app only"),
    OPTION_FLAG(struct create_settings, load, "load",
                "for load tests: without a rate; no production broker takes it"),
    OPTION_STR(struct create_settings, out, "out", "FILE", NULL,
               "write a key file instead of printing the key"),
};

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
    const struct create_settings *s = cli->settings;
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

static int numbers_fill(const struct cli *cli, Rota__KeyCreate *op)
{
    const struct create_settings *s = cli->settings;
    uint64_t rate = 0;
    bool is_off = s->rate && !strcmp(s->rate, "off");
    if (s->rate && !is_off && (!amount_read(s->rate, RATE_MOST, &rate) || !rate))
        return cli_usage(cli, "--rate %s: requests a minute, or off", s->rate);
    if (s->rate) {
        op->set_rate_case = ROTA__KEY_CREATE__SET_RATE_RATE_MINUTE;
        op->rate_minute = (uint32_t)rate;
    }
    if (s->builds && (!amount_read(s->builds, BUILDS_MOST, &op->builds_month) || !op->builds_month))
        return cli_usage(cli, "--builds %s: a number from 1 on", s->builds);
    if (s->expires && !amount_moment_read(s->expires, clock_wall_ms(), &op->expires_ms))
        return cli_usage(cli, "--expires %s: 90d, 2027-01-31 or 2027-01-31T18:00Z", s->expires);
    return 0;
}

static int create_fill(const struct cli *cli, Rota__KeyCreate *op)
{
    const struct create_settings *s = cli->settings;
    int role = pb_word_value(&rota__role__descriptor, s->role);
    if (role < 0)
        return cli_error(E_ROLE_UNKNOWN, "there is no role %s", s->role);
    op->role = (Rota__Role)role;
    op->account = (char *)(s->account ? s->account : "");
    op->name = (char *)(s->name ? s->name : "");
    op->member = (char *)(s->member ? s->member : "");
    op->app = (char *)(s->app ? s->app : "");
    op->scope = (char **)s->scope.item;
    op->n_scope = s->scope.n;
    op->load = s->load;
    return numbers_fill(cli, op);
}

static int key_create_run(struct cli *cli)
{
    const struct create_settings *s = cli->settings;
    Rota__KeyCreate op = ROTA__KEY_CREATE__INIT;
    int code = create_fill(cli, &op);
    if (!code && s->out)
        code = key_file_claim(s->out);
    if (code)
        return code;
    CLI_REQUEST(request, KEY_CREATE, key_create, &op);
    AUTO_REPLY reply = NULL;
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

static const char scopes_help[] =
    "A key of role account carries the scopes that it is given, no others; one of role operator or "
    "gateway does all that its role may unless it is given some. What each scope opens stands in "
    "docs/KEYS.md. Scopes:"
#define SCOPE(NAME, name, roles, members, by_app) " " name
#include "scopes.def"
#undef SCOPE
    ;

const struct command command_key_create = {
    .name = "key create",
    .args = "[--role ROLE] [--account ID] [--scope SCOPE]... [--out FILE]",
    .about = "makes an API key and shows it once",
    .details = scopes_help,
    .rows = create_rows,
    .n_rows = ARRAY_LEN(create_rows),
    .settings_bytes = sizeof(struct create_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = key_create_run,
};
