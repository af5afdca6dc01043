/* completion.c: `rota completion bash` prints a script made of the command table.
 *
 * The script is data and one function: for each command the options that it knows, so that a new
 * row of the table completes by itself. */
#include "commands.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

static void words_print(void)
{
    printf("__rota_commands='");
    for (size_t i = 0; i < commands_n; i++)
        printf("%s%s", i ? "\n" : "", commands[i]->name);
    printf("'\n");
}

static void options_print(const struct command *c)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t n = command_rows(c, rows);
    printf("    '%s') __rota_options='", c->name);
    for (size_t i = 0; i < n; i++)
        printf("--%s ", rows[i].name);
    printf("--help' ;;\n");
}

static const char bash_tail[] =
    "  esac\n"
    "}\n"
    "__rota() {\n"
    "  local word=${COMP_WORDS[COMP_CWORD]} one=${COMP_WORDS[1]} two=${COMP_WORDS[2]}\n"
    "  case ${COMP_WORDS[COMP_CWORD-1]} in\n"
    "    --key-file|--tls-ca|--public-key|--out) COMPREPLY=($(compgen -f -- \"$word\")); return "
    ";;\n"
    "    --platform) COMPREPLY=($(compgen -W 'android ios' -- \"$word\")); return ;;\n"
    "    --tier) COMPREPLY=($(compgen -W 'free starter pro enterprise' -- \"$word\")); return ;;\n"
    "    --role) COMPREPLY=($(compgen -W 'operator account worker gateway owner admin member' "
    "-- \"$word\")); return ;;\n"
    "  esac\n"
    "  if ((COMP_CWORD == 1)); then\n"
    "    COMPREPLY=($(compgen -W \"${__rota_commands//$'\\n'/ }\" -- \"$word\"))\n"
    "    return\n"
    "  fi\n"
    "  __rota_options=\n"
    "  __rota_find \"$one $two\"\n"
    "  [[ $__rota_options ]] || __rota_find \"$one\"\n"
    "  if [[ $word == -* ]]; then\n"
    "    COMPREPLY=($(compgen -W \"$__rota_options\" -- \"$word\"))\n"
    "  elif ((COMP_CWORD == 2)); then\n"
    "    local second\n"
    "    second=$(sed -n \"s/^$one //p\" <<<\"$__rota_commands\")\n"
    "    COMPREPLY=($(compgen -W \"$second\" -- \"$word\") $(compgen -f -- \"$word\"))\n"
    "  else\n"
    "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "  fi\n"
    "}\n"
    "complete -F __rota rota\n";

static int completion_run(struct cli *cli)
{
    if (strcmp(cli->args[0], "bash") != 0)
        return cli_usage(cli, "completion %s: only bash is known", cli->args[0]);
    words_print();
    printf("__rota_find() {\n  case $1 in\n");
    for (size_t i = 0; i < commands_n; i++)
        options_print(commands[i]);
    fputs(bash_tail, stdout);
    return EXIT_OK;
}

const struct command command_completion = {
    .name = "completion",
    .args = "bash",
    .about = "prints a completion script: eval \"$(rota completion bash)\"",
    .args_min = 1,
    .args_max = 1,
    .run = completion_run,
};
