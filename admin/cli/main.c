/* main.c: finds the command, reads its options, runs it.
 *
 * `rota [OPTION]... COMMAND [WORD] [OPTION|ARGUMENT]...`: options of the connection may also stand
 * before the command. Without a command, on a terminal, the screen of `rota tui` opens. */
#include "cli.h"
#include "commands.h"
#include "help.h"
#include "terminal.h"
#include "text.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Does the option at `arg` take the next word as its value? */
static bool takes_value(const char *arg)
{
    static const struct command any = {.needs = NEEDS_BROKER | PRINTS_JSON};
    struct option_row rows[OPTION_ROWS_MAX];
    size_t n = command_rows(&any, rows);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(arg + 2, rows[i].name))
            return rows[i].kind != OPTION_IS_FLAG;
    return false;
}

/* Index of the command's first word: behind the options in front of it. */
static int command_at(int argc, char **argv)
{
    int i = 1;
    while (i < argc && !strncmp(argv[i], "--", 2) && argv[i][2])
        i += takes_value(argv[i]) ? 2 : 1;
    return i < argc ? i : argc;
}

/* The command that `argv[0]`, or `argv[0] argv[1]`, names; *ret_words says how many words it took.
 */
static const struct command *command_named(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; i < commands_n; i++) {
        const char *name = commands[i]->name, *space = strchr(name, ' ');
        size_t n = space ? (size_t)(space - name) : strlen(name);
        if (strncmp(argv[0], name, n) != 0 || argv[0][n])
            continue;
        *ret_words = space ? 2 : 1;
        if (space ? argc > 1 && !strcmp(argv[1], space + 1)
                  : argc < 2 || !command_has_word(name, argv[1]))
            return commands[i];
    }
    return NULL;
}

/* The command's own argv: its name, the options that stood before it, what stood behind. Short
 * forms are spelt out, because the option table knows long names only. */
static char **argv_make(const struct command *c, int argc, char **argv, int at, int words,
                        int *ret_argc)
{
    char **own = x_alloc(((size_t)argc + 2) * sizeof *own);
    int n = 0;
    own[n++] = (char *)c->name;
    for (int i = 1; i < at; i++)
        own[n++] = argv[i];
    for (int i = at + words; i < argc; i++) {
        char *arg = argv[i];
        own[n++] = !strcmp(arg, "-f")   ? (char *)"--follow"
                   : !strcmp(arg, "-h") ? (char *)"--help"
                                        : arg;
    }
    *ret_argc = n;
    return own;
}

/* 0, or the exit code. */
static int timeout_read(struct cli *cli)
{
    const char *text = cli->common->timeout;
    if (!(cli->command->needs & NEEDS_BROKER) || !text || !*text)
        return 0;
    if (text_duration_parse(text, &cli->timeout_ms) || !cli->timeout_ms)
        return cli_usage(cli, "--timeout %s is no time", text);
    return 0;
}

static int command_run(struct cli *cli, int argc, char **argv)
{
    struct option_row rows[OPTION_ROWS_MAX];
    char *about = NULL;
    struct option_spec spec = command_spec(cli->command, rows, &about);
    int r = option_parse(&spec, argc, argv, cli->settings, cli->args, &cli->n_args);
    free((char *)spec.program);
    free(about);
    if (r == OPTION_HELP)
        return EXIT_OK;
    if (r != 0)
        return r == OPTION_CONFIG ? EXIT_CONFIG : EXIT_USAGE;
    if (cli->n_args < cli->command->args_min)
        return cli_usage(cli, "%s: an argument is missing", cli->command->name);
    if (cli->n_args > cli->command->args_max)
        return cli_usage(cli, "%s: unexpected argument %s", cli->command->name,
                         cli->args[cli->command->args_max]);
    int code = timeout_read(cli);
    return code ? code : cli->command->run(cli);
}

static int run(const struct command *c, int argc, char **argv, int at, int words)
{
    struct cli cli = {.command = c};
    int n = 0;
    char **own = argv_make(c, argc, argv, at, words, &n);
    cli.args = x_alloc(((size_t)n + 1) * sizeof *cli.args);
    cli.settings = x_alloc(c->settings_bytes ? c->settings_bytes : sizeof(struct common));
    cli.common = cli.settings;
    int code = command_run(&cli, n, own);
    cli_close(&cli);
    free(cli.settings);
    free(cli.args);
    free(own);
    if (fflush(stdout) != 0 || ferror(stdout))
        return EXIT_IO;
    return code;
}

/* No command that we know: `--help` and `--version` of the whole, a group's list, or a usage error.
 */
static int answer_without_command(int argc, char **argv, int at)
{
    for (int i = 1; i < at; i++) {
        if (!strcmp(argv[i], "--help"))
            return help_all(stdout), EXIT_OK;
        if (!strcmp(argv[i], "--version"))
            return printf("rota %s\n", ROTA_VERSION), EXIT_OK;
    }
    if (at == argc)
        return help_all(stderr), EXIT_USAGE;
    if (!strcmp(argv[at], "-h"))
        return help_all(stdout), EXIT_OK;
    bool asks = at + 1 < argc && (!strcmp(argv[at + 1], "--help") || !strcmp(argv[at + 1], "-h"));
    if (help_group(argv[at], asks ? stdout : stderr))
        return asks ? EXIT_OK : EXIT_USAGE;
    char *text = x_printf("there is no command %s", argv[at]);
    cli_say("USAGE", "see `rota help`", text);
    free(text);
    return EXIT_USAGE;
}

static bool is_screen_wanted(int argc, char **argv, int at)
{
    for (int i = 1; i < at; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "--version"))
            return false;
    return at == argc && isatty(0) && isatty(1);
}

int main(int argc, char **argv)
{
    text_locale_init();
    term_init();
    if (sodium_init() < 0)
        return cli_config("this machine gives no random bytes", "libsodium cannot start");
    int at = command_at(argc, argv), words = 0;
    if (is_screen_wanted(argc, argv, at))
        return run(&command_tui, argc, argv, at, 0);
    const struct command *c = at < argc ? command_named(argc - at, argv + at, &words) : NULL;
    return c ? run(c, argc, argv, at, words) : answer_without_command(argc, argv, at);
}
