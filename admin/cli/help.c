/* help.c: help and the manual's part about commands, both printed from the command table.
 *
 * `rota help --manual` writes scdoc; a test compares it with docs/man/rota.1.scd, so the manual
 * cannot fall behind. */
#include "help.h"

#include "commands.h"
#include "terminal.h"
#include "text.h"

#include <ctype.h>
#include <string.h>

enum { HELP_COLUMNS = 78 };

struct help_settings {
    struct common common;
    bool manual;
};

static const struct option_row help_rows[] = {
    OPTION_FLAG(struct help_settings, manual, "manual",
                "print the commands as a part of the manual page (scdoc)"),
};

/* Breaks a paragraph into lines of at most HELP_COLUMNS, at blanks. In place. */
static char *lines_break(char *text)
{
    size_t start = 0, blank = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == ' ')
            blank = i;
        if (i - start >= HELP_COLUMNS && blank > start) {
            text[blank] = '\n';
            start = blank + 1;
        }
    }
    return text;
}

struct option_spec command_spec(const struct command *c, struct option_row rows[OPTION_ROWS_MAX],
                                char **ret_about)
{
    AUTO_FREE char *details = lines_break(x_strdup(c->details ? c->details : ""));
    *ret_about = x_printf("%c%s.%s%s", toupper((unsigned char)*c->about), c->about + 1,
                          *details ? "\n\n" : "", details);
    return (struct option_spec){
        .program = x_printf("rota %s", c->name),
        .usage = c->args,
        .about = *ret_about,
        .rows = rows,
        .n = command_rows(c, rows),
        .flags_only = c->n_rows,
    };
}

static bool is_in_group(const struct command *c, const char *group)
{
    size_t n = strlen(group);
    return !strncmp(c->name, group, n) && (c->name[n] == ' ' || !c->name[n]);
}

bool command_has_word(const char *name, const char *word)
{
    for (size_t i = 0; i < commands_n; i++) {
        size_t n = strlen(name);
        const char *other = commands[i]->name;
        if (!strncmp(other, name, n) && other[n] == ' ' && !strcmp(other + n + 1, word))
            return true;
    }
    return false;
}

static void line(const struct command *c, FILE *to)
{
    fprintf(to, "  %-16s %s\n", c->name, c->about);
}

void help_all(FILE *to)
{
    fprintf(to, "rota %s: publish builds, follow them, and run the queue behind them\n\n",
            ROTA_VERSION);
    fprintf(to, "  rota                       the screen (on a terminal)\n"
                "  rota COMMAND [OPTION]...   one of these; each knows --help\n\n");
    for (size_t i = 0; i < commands_n; i++)
        line(commands[i], to);
    fprintf(to,
            "\nROTA_URL says where the broker is, ROTA_KEY_FILE (or ROTA_KEY) who you are, "
            "ROTA_ENVIRONMENT\nwhich environment you mean (else the key file's second line).\n");
}

bool help_group(const char *group, FILE *to)
{
    bool any = false;
    for (size_t i = 0; i < commands_n; i++)
        if (is_in_group(commands[i], group)) {
            if (!any)
                fprintf(to, "rota %s:\n", group);
            any = true;
            line(commands[i], to);
        }
    return any;
}

/* scdoc gives `_` and `*` a meaning. */
static void scdoc_text(const char *text)
{
    for (; *text; text++) {
        if (strchr("_*\\#~<>`", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void manual_command(const struct command *c)
{
    printf("## rota %s", c->name);
    if (*c->args)
        putchar(' ');
    scdoc_text(c->args);
    printf("\n\n");
    putchar(toupper((unsigned char)*c->about));
    scdoc_text(c->about + 1);
    printf(".\n\n");
    if (c->details) {
        scdoc_text(c->details);
        printf("\n\n");
    }
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct option_row *row = &c->rows[i];
        printf("*--%s*", row->name);
        if (row->meta)
            printf(" _%s_", row->meta);
        printf("\n\t");
        scdoc_text(row->help);
        printf("\n\n");
    }
}

static int help_run(struct cli *cli)
{
    const struct help_settings *s = cli->settings;
    if (s->manual) {
        for (size_t i = 0; i < commands_n; i++)
            manual_command(commands[i]);
        return EXIT_OK;
    }
    if (!cli->n_args)
        return help_all(stdout), EXIT_OK;
    char *name = x_printf("%s%s%s", cli->args[0], cli->n_args > 1 ? " " : "",
                          cli->n_args > 1 ? cli->args[1] : "");
    const struct command *found = NULL;
    for (size_t i = 0; i < commands_n; i++)
        if (!strcmp(commands[i]->name, name))
            found = commands[i];
    int code = EXIT_OK;
    if (found) {
        struct option_row rows[OPTION_ROWS_MAX];
        char *about = NULL;
        struct option_spec spec = command_spec(found, rows, &about);
        option_help(&spec, stdout);
        free((char *)spec.program);
        free(about);
    } else if (!help_group(name, stdout)) {
        code = cli_usage(cli, "there is no command %s", name);
    }
    free(name);
    return code;
}

const struct command command_help = {
    .name = "help",
    .args = "[COMMAND]",
    .about = "says what the commands do",
    .rows = help_rows,
    .n_rows = ARRAY_LEN(help_rows),
    .settings_bytes = sizeof(struct help_settings),
    .args_max = 2,
    .run = help_run,
};
