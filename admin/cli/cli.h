/* cli.h: one run of one command: what it was told, the broker behind it, and how it answers.
 *
 * A command is one constant in a file of its own and one line in commands.def. Its name, usage,
 * text and options are data: parser, help, completion and manual all read the same rows. A run
 * function returns the exit code. Everything here belongs to the main thread. */
#pragma once

#include "client.h"
#include "errors.h"

#include <base/auto.h>
#include <base/exit.h>
#include <base/option.h>
#include <jansson.h>

/* First member of every command's settings. */
struct common {
    const char *url, *key_file, *environment, *tls_ca, *tls_cert_key, *timeout;
    bool json;
};

enum command_needs {
    NEEDS_BROKER = 1, /* has the options of the connection */
    NEEDS_KEY = 2,    /* and must have a key */
    PRINTS_JSON = 4,  /* has --json */
};

struct cli;

struct command {
    const char *name;    /* one word or two: "publish", "account set" */
    const char *args;    /* usage behind the name, without the options: "JOB [--follow]" */
    const char *about;   /* one line */
    const char *details; /* more, for --help and the manual; may be NULL */
    const struct option_row *rows;
    size_t n_rows;
    size_t settings_bytes; /* 0: struct common */
    int args_min, args_max;
    unsigned needs; /* of enum command_needs */
    int (*run)(struct cli *cli);
};

extern const struct command *const commands[];
extern const size_t commands_n;

/* The rows of a command, common ones first; `rows` has room for OPTION_ROWS_MAX. */
enum { OPTION_ROWS_MAX = 32 };
size_t command_rows(const struct command *c, struct option_row rows[OPTION_ROWS_MAX]);

struct cli {
    const struct command *command;
    void *settings;
    const struct common *common; /* the same memory */
    char **args;
    int n_args;
    uint64_t timeout_ms; /* --timeout; 0: not given */
    struct rota_client *client;
    char *credential, *environment;
};

/* Connects when this was not done yet. 0, or the exit code, said on stderr. */
MUST_USE int cli_connect(struct cli *cli);
void cli_close(struct cli *cli);

/* Calls the broker. 0 and a reply without error, or the exit code: the refusal was said on stderr.
 */
#define AUTO_REPLY __attribute__((cleanup(reply_freep))) Rota__Reply *
void reply_freep(Rota__Reply **reply);
MUST_USE int cli_call(struct cli *cli, Rota__Request *request, Rota__Reply **ret_reply);

/* The same with the refusal left to the caller: 0 means that there is a reply, with or without
 * error. `wait_ms` is added to the time of the call. */
MUST_USE int cli_try(struct cli *cli, Rota__Request *request, uint32_t wait_ms,
                     Rota__Reply **ret_reply);

/* A request with one operation: CLI_REQUEST(request, CANCEL, cancel, &op) */
#define CLI_REQUEST(variable, CASE, member_, value)                                                \
    Rota__Request variable = ROTA__REQUEST__INIT;                                                  \
    variable.op_case = ROTA__REQUEST__OP_##CASE;                                                   \
    variable.member_ = (value)

/* Errors: what happened, the name, what to do. Each returns the exit code to end with. */
int cli_refused(const Rota__Error *error);
__attribute__((format(printf, 2, 3))) int cli_error(enum error_code code, const char *format, ...);
__attribute__((format(printf, 2, 3))) int cli_usage(const struct cli *cli, const char *format, ...);
__attribute__((format(printf, 2, 3))) int cli_config(const char *hint, const char *format, ...);
int cli_io(const char *path, int fault);
void cli_say(const char *name, const char *hint, const char *text);

/* The exit code that belongs to an error of the catalogue. */
int cli_exit_of(const char *error_name);

/* Prints a document: on a terminal indented, else on one line. Takes the reference. */
int cli_print(json_t *document);
int cli_print_message(const ProtobufCMessage *message);
/* One compact line, flushed at once: for streams. Takes the reference. */
void cli_print_line(json_t *document);
