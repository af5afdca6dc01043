/* version.c: `rota version`: of this program; the broker's is what `rota ping` shows. */
#include "commands.h"

#include <stdio.h>

static int version_run(struct cli *cli)
{
    if (cli->common->json)
        return cli_print(json_pack("{s:s}", "version", ROTA_VERSION));
    printf("rota %s\n", ROTA_VERSION);
    return EXIT_OK;
}

const struct command command_version = {
    .name = "version",
    .args = "",
    .about = "prints the version of this program",
    .needs = PRINTS_JSON,
    .run = version_run,
};
