/* heat.c: `rota heat` keeps workers' slots warm for a while; `rota heat off` ends it. Durable in
 * the broker, told to the workers by heartbeat. */
#include "commands.h"
#include "pbjson.h"
#include "text.h"

#include <stdio.h>

struct heat_settings {
    struct common common;
    const char *pool, *for_time;
    uint64_t slots;
};

static const struct option_row heat_rows[] = {
    OPTION_STR(struct heat_settings, pool, "pool", "NAME", NULL, "of this pool (bundle without)"),
    OPTION_U64(struct heat_settings, slots, "slots", "N", 2, 1, 10000, "how many slots"),
    OPTION_STR(struct heat_settings, for_time, "for", "TIME", "30m", "how long: 90s, 30m, 2h"),
};

static const struct option_row off_rows[] = {
    OPTION_STR(struct heat_settings, pool, "pool", "NAME", NULL, "of this pool (bundle without)"),
};

static int heat_call(struct cli *cli, uint32_t slots, uint64_t for_ms)
{
    const struct heat_settings *s = cli->settings;
    char until[TEXT_SHORT_LEN + 1];
    Rota__Heat op = ROTA__HEAT__INIT;
    op.pool = (char *)(s->pool ? s->pool : "bundle");
    op.slots = slots;
    op.for_ms = for_ms;
    CLI_REQUEST(request, HEAT, heat, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__HeatResult *heat = reply->heat;
    if (cli->common->json)
        return cli_print_message(&heat->base);
    if (heat->slots)
        printf("%s: %u slots stay warm until %s\n", heat->pool, heat->slots,
               text_time(heat->until_ms, until));
    else
        printf("%s: heat is off\n", heat->pool);
    return EXIT_OK;
}

static int heat_run(struct cli *cli)
{
    const struct heat_settings *s = cli->settings;
    uint64_t for_ms = 0;
    if (text_duration_parse(s->for_time, &for_ms) || !for_ms)
        return cli_usage(cli, "--for %s is no time", s->for_time);
    return heat_call(cli, (uint32_t)s->slots, for_ms);
}

static int heat_off_run(struct cli *cli)
{
    return heat_call(cli, 0, 0);
}

const struct command command_heat = {
    .name = "heat",
    .args = "[--pool NAME] [--slots N] [--for TIME]",
    .about = "keeps workers warm: idle ones stay until the time is over",
    .rows = heat_rows,
    .n_rows = ARRAY_LEN(heat_rows),
    .settings_bytes = sizeof(struct heat_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = heat_run,
};

const struct command command_heat_off = {
    .name = "heat off",
    .args = "[--pool NAME]",
    .about = "ends the heat",
    .rows = off_rows,
    .n_rows = ARRAY_LEN(off_rows),
    .settings_bytes = sizeof(struct heat_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = heat_off_run,
};
