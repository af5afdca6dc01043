/* tui.c: `rota tui`, which is also what `rota` alone opens on a terminal. */
#include "tui/tui.h"

#include "commands.h"

#include <string.h>

static int tui_command_run(struct cli *cli)
{
    if (!isatty(0) || !isatty(1))
        return cli_usage(cli, "the screen needs a terminal");
    AUTO_FD signal_fd = tui_signals();
    if (signal_fd < 0)
        return cli_io("signals", signal_fd);
    int code = cli_connect(cli);
    if (code)
        return code;
    int r = tui_run(&cli->client, cli->common->url, signal_fd);
    if (r < 0)
        return cli_config("set TERM to a terminal that terminfo knows",
                          "this terminal cannot be used: %s", strerror(-r));
    return r;
}

const struct command command_tui = {
    .name = "tui",
    .args = "",
    .about = "opens the screen: queues, next dispatches, workers, heat",
    .needs = NEEDS_BROKER | NEEDS_KEY,
    .run = tui_command_run,
};
