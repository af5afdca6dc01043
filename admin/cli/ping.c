/* ping.c: `rota ping`: is the broker there, which one is it, and how far away. */
#include "commands.h"
#include "pbjson.h"

#include <base/clock.h>
#include <stdio.h>

static int ping_run(struct cli *cli)
{
    Rota__Ping op = ROTA__PING__INIT;
    CLI_REQUEST(request, PING, ping, &op);
    AUTO_REPLY reply = NULL;
    uint64_t start_ns = clock_boot_ns();
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    double ms = (double)(clock_boot_ns() - start_ns) / 1e6;
    if (cli->common->json) {
        json_t *document = pb_json(&reply->ping->base);
        json_object_set_new(document, "took_ms", json_real(ms));
        return cli_print(document);
    }
    printf("rotad %s, environment %s, epoch %u: answered in %.1f ms\n", reply->ping->version,
           reply->ping->environment, reply->ping->epoch, ms);
    return EXIT_OK;
}

const struct command command_ping = {
    .name = "ping",
    .args = "",
    .about = "asks whether the broker answers",
    .needs = NEEDS_BROKER | PRINTS_JSON,
    .run = ping_run,
};
