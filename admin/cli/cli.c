/* cli.c: connection settings become a client at the first call, so that a command which is refused
 * for its usage never dials. Exit codes follow from the error's class; the few that do not stand in
 * a table.  */
#include "cli.h"

#include "pbjson.h"
#include "terminal.h"
#include "text.h"

#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KEY_FILE_BYTES_MAX = 4096, CALL_TIMEOUT_MS = 10000 };

static const struct option_row json_row = OPTION_FLAG(struct common, json, "json", "print JSON");

static const struct option_row connection_rows[] = {
    OPTION_STR(struct common, url, "url", "URL", NULL,
               "the broker: ipc:///PATH, tls+tcp://HOST:PORT or tcp://HOST:PORT"),
    OPTION_STR(
        struct common, key_file, "key-file", "FILE", NULL,
        "file with the API key; its second line names the environment (or ROTA_KEY: the key)"),
    OPTION_STR(struct common, environment, "environment", "NAME", NULL,
               "the broker's environment, instead of the key file's second line"),
    OPTION_STR(struct common, tls_ca, "tls-ca", "FILE", NULL,
               "PEM file with the CA that signed the broker's certificate (tls+tcp)"),
    OPTION_STR(struct common, tls_cert_key, "tls-cert-key", "FILE", NULL,
               "PEM file with this client's own certificate and key, when the broker asks for one"),
    OPTION_STR(struct common, timeout, "timeout", "TIME", NULL,
               "how long to wait, as 30, 90s, 5m or 1h (10s without)"),
};

size_t command_rows(const struct command *c, struct option_row rows[OPTION_ROWS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_rows; i++)
        rows[n++] = c->rows[i];
    if (c->needs & PRINTS_JSON)
        rows[n++] = json_row;
    if (c->needs & NEEDS_BROKER)
        for (size_t i = 0; i < ARRAY_LEN(connection_rows); i++)
            rows[n++] = connection_rows[i];
    return n;
}

void cli_say(const char *name, const char *hint, const char *text)
{
    char *clean = text_clean(text);
    term_live_end(stdout);
    fflush(stdout);
    fprintf(stderr, "rota: %s (%s)\n", clean, name);
    free(clean);
    if (hint && *hint) {
        clean = text_clean(hint);
        fprintf(stderr, "  %s\n", clean);
        free(clean);
    }
}

int cli_exit_of(const char *error_name)
{
    enum error_code code = error_by_name(error_name);
    if (code == E_UNAVAILABLE || code == E_TIMEOUT || code == E_DRAINING)
        return EXIT_UNAVAILABLE;
    if (code == E_OK) /* a newer broker's word */
        return EXIT_JOB_FAILED;
    const struct error_row *row = error_row(code);
    if (row->class == ERROR_USER)
        return EXIT_USAGE;
    if (row->class == ERROR_AUTH)
        return EXIT_NOT_ALLOWED;
    return row->retryable ? EXIT_TRY_AGAIN : EXIT_JOB_FAILED;
}

int cli_refused(const Rota__Error *error)
{
    cli_say(error->name, error->hint, error->text);
    return cli_exit_of(error->name);
}

#define FORMAT_TEXT(text)                                                                          \
    va_list args_;                                                                                 \
    char *text = NULL;                                                                             \
    va_start(args_, format);                                                                       \
    if (vasprintf(&text, format, args_) < 0)                                                       \
        text = x_must(NULL);                                                                       \
    va_end(args_)

int cli_error(enum error_code code, const char *format, ...)
{
    FORMAT_TEXT(text);
    const struct error_row *row = error_row(code);
    cli_say(row->name, row->hint, text);
    free(text);
    return cli_exit_of(row->name);
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    FORMAT_TEXT(text);
    char *hint = x_printf("see `rota %s --help`", cli->command->name);
    cli_say("USAGE", hint, text);
    free(hint);
    free(text);
    return EXIT_USAGE;
}

int cli_config(const char *hint, const char *format, ...)
{
    FORMAT_TEXT(text);
    cli_say("CONFIG", hint, text);
    free(text);
    return EXIT_CONFIG;
}

int cli_io(const char *path, int fault)
{
    const char *name = strerrorname_np(-fault);
    char *text = x_printf("%s: %s", path, strerror(-fault));
    cli_say(name ? name : "EIO", "check the path, its permissions and the space on its disk", text);
    free(text);
    return EXIT_IO;
}

/* Splits the key file: the key, then the environment's name. Both are copies. */
static void key_split(char *text, char **ret_key, char **ret_environment)
{
    char *rest = text, *line = strsep(&rest, "\r\n");
    *ret_key = x_strdup(line);
    *ret_environment = NULL;
    while (rest && (line = strsep(&rest, "\r\n")))
        if (*line) {
            *ret_environment = x_strdup(line);
            return;
        }
}

static int key_file_read(struct cli *cli)
{
    const char *path = cli->common->key_file;
    char *text = NULL;
    size_t n = 0;
    int r = file_read_secret(path, KEY_FILE_BYTES_MAX, &text, &n);
    if (r == -EPERM)
        return cli_config("make it yours alone: chmod 600 FILE",
                          "the key file %s can be read by others", path);
    if (r < 0)
        return cli_config("check ROTA_KEY_FILE or --key-file", "the key file %s: %s", path,
                          strerror(-r));
    key_split(text, &cli->credential, &cli->environment);
    sodium_memzero(text, n);
    free(text);
    return 0;
}

/* Finds key and environment: flag over environment variable over the key file's second line. */
static int credential_find(struct cli *cli)
{
    const struct common *common = cli->common;
    const char *key = getenv("ROTA_KEY");
    if (common->key_file && *common->key_file) {
        int code = key_file_read(cli);
        if (code)
            return code;
    } else if (key && *key) {
        cli->credential = x_strdup(key);
    } else if (cli->command->needs & NEEDS_KEY) {
        return cli_config("set ROTA_KEY_FILE or ROTA_KEY, or pass --key-file",
                          "there is no key to show to the broker");
    }
    if (common->environment && *common->environment) {
        free(cli->environment);
        cli->environment = x_strdup(common->environment);
    }
    if (!cli->environment)
        return cli_config("set ROTA_ENVIRONMENT, or write the name into the key file's second line",
                          "the name of the broker's environment is not known");
    return 0;
}

int cli_connect(struct cli *cli)
{
    const struct common *common = cli->common;
    if (cli->client)
        return 0;
    if (!common->url || !*common->url)
        return cli_config("set ROTA_URL or pass --url", "the broker's address is not known");
    int code = credential_find(cli);
    if (code)
        return code;
    struct rota_client_config config = {
        .url = common->url,
        .environment = cli->environment,
        .credential = cli->credential ? cli->credential : "",
        .tls_ca_file = common->tls_ca,
        .tls_cert_key_file = common->tls_cert_key,
    };
    int r = rota_client_new(&config, &cli->client);
    if (r == -EINVAL)
        return cli_config("use ipc:///PATH, tls+tcp://HOST:PORT with --tls-ca, or tcp://HOST:PORT",
                          "the address %s cannot be used", common->url);
    return r < 0 ? cli_io(common->url, r) : 0;
}

void cli_close(struct cli *cli)
{
    cli->client = rota_client_free(cli->client);
    if (cli->credential)
        sodium_memzero(cli->credential, strlen(cli->credential));
    free(cli->credential);
    free(cli->environment);
    cli->credential = cli->environment = NULL;
}

void reply_freep(Rota__Reply **reply)
{
    *reply = rota_reply_free(*reply);
}

int cli_try(struct cli *cli, Rota__Request *request, uint32_t wait_ms, Rota__Reply **ret_reply)
{
    uint64_t timeout_ms = cli->timeout_ms ? cli->timeout_ms : CALL_TIMEOUT_MS;
    if (timeout_ms > UINT32_MAX / 2)
        timeout_ms = UINT32_MAX / 2;
    int code = cli_connect(cli);
    if (code)
        return code;
    int r = rota_call(cli->client, request, (uint32_t)timeout_ms + wait_ms, ret_reply);
    return r < 0 ? cli_io(cli->common->url, r) : 0;
}

int cli_call(struct cli *cli, Rota__Request *request, Rota__Reply **ret_reply)
{
    int code = cli_try(cli, request, 0, ret_reply);
    if (code)
        return code;
    return (*ret_reply)->error ? cli_refused((*ret_reply)->error) : 0;
}

int cli_print(json_t *document)
{
    size_t flags = JSON_REAL_PRECISION(15) | (term_is_live(1) ? JSON_INDENT(2) : JSON_COMPACT);
    int r = json_dumpf(document, stdout, flags);
    json_decref(document);
    putchar('\n');
    return r < 0 ? EXIT_IO : EXIT_OK;
}

int cli_print_message(const ProtobufCMessage *message)
{
    return cli_print(pb_json(message));
}

void cli_print_line(json_t *document)
{
    json_dumpf(document, stdout, JSON_COMPACT);
    json_decref(document);
    putchar('\n');
    fflush(stdout);
}
