/* heat.c: `rota heat` keeps workers' slots warm for a while and has the canonical app built, so
 * that later builds find what they share; `rota heat off` ends it, `rota heat show` tells how warm
 * the pools are. Durable in the broker, told to the workers by heartbeat. */
#include "commands.h"
#include "heat_build.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <base/clock.h>
#include <stdio.h>
#include <string.h>

struct heat_settings {
    struct common common;
    const char *pool, *for_time, *app_dir;
    uint64_t slots;
    bool no_build, wait;
};

static const struct option_row heat_rows[] = {
    OPTION_STR(struct heat_settings, pool, "pool", "NAME", NULL, "of this pool (bundle without)"),
    OPTION_U64(struct heat_settings, slots, "slots", "N", 2, 1, 10000, "how many slots"),
    OPTION_STR(struct heat_settings, for_time, "for", "TIME", "30m", "how long: 90s, 30m, 2h"),
    OPTION_STR(struct heat_settings, app_dir, "app-dir", "DIR", NULL,
               "the app to build, as most apps to come are (the sample that came with rota)"),
    OPTION_FLAG(struct heat_settings, no_build, "no-build", "keep slots warm and build nothing"),
    OPTION_FLAG(struct heat_settings, wait, "wait",
                "stay until the builds are over, and print how long each phase took"),
};

static const struct option_row off_rows[] = {
    OPTION_STR(struct heat_settings, pool, "pool", "NAME", NULL, "of this pool (bundle without)"),
};

static const char *pool_of(const struct heat_settings *s)
{
    return s->pool ? s->pool : "bundle";
}

static int heat_call(struct cli *cli, uint32_t slots, uint64_t for_ms, Rota__Reply **ret_reply)
{
    Rota__Heat op = ROTA__HEAT__INIT;
    op.pool = (char *)pool_of(cli->settings);
    op.slots = slots;
    op.for_ms = for_ms;
    CLI_REQUEST(request, HEAT, heat, &op);
    return cli_call(cli, &request, ret_reply);
}

static void heat_print(const Rota__HeatResult *heat)
{
    char until[TEXT_SHORT_LEN + 1];
    if (heat->slots)
        printf("%s: %u slots stay warm until %s; %u are warm now\n", heat->pool, heat->slots,
               text_time(heat->until_ms, until), heat->warm_slots);
    else
        printf("%s: heat is off\n", heat->pool);
}

/* ---- with its builds ---- */

struct heating {
    const Rota__HeatResult *heat;
    bool has_builds;
    struct heat_build build[HEAT_PLATFORMS];
};

static json_t *jobs_json(const struct heating *h)
{
    json_t *jobs = json_array();
    for (size_t i = 0; i < HEAT_PLATFORMS; i++)
        json_array_append_new(jobs, json_string(h->build[i].job));
    return jobs;
}

static int json_print(struct cli *cli, const struct heating *h, uint64_t deadline_boot_ms)
{
    const struct heat_settings *s = cli->settings;
    json_t *document = pb_json(&h->heat->base);
    int code = EXIT_OK;
    if (h->has_builds)
        json_object_set_new(document, "jobs", jobs_json(h));
    if (h->has_builds && s->wait) {
        json_t *builds = json_array();
        code = heat_build_follow(cli, h->build, deadline_boot_ms, builds);
        json_object_set_new(document, "builds", builds);
    }
    int printed = cli_print(document);
    return code ? code : printed;
}

static int text_print(struct cli *cli, const struct heating *h, uint64_t deadline_boot_ms)
{
    const struct heat_settings *s = cli->settings;
    heat_print(h->heat);
    for (size_t i = 0; h->has_builds && i < HEAT_PLATFORMS; i++)
        printf("%-8s %s\n", h->build[i].platform, h->build[i].job);
    fflush(stdout);
    return h->has_builds && s->wait ? heat_build_follow(cli, h->build, deadline_boot_ms, NULL)
                                    : EXIT_OK;
}

static int heat_run(struct cli *cli)
{
    const struct heat_settings *s = cli->settings;
    uint64_t for_ms = 0, deadline_boot_ms = cli->timeout_ms ? clock_boot_ms() + cli->timeout_ms : 0;
    char app[PATH_MAX];
    struct heating h = {.has_builds = !s->no_build && strcmp(pool_of(s), "bundle") == 0};
    AUTO_REPLY reply = NULL;
    if (text_duration_parse(s->for_time, &for_ms) || !for_ms)
        return cli_usage(cli, "--for %s is no time", s->for_time);
    if (!h.has_builds && (s->wait || s->app_dir))
        return cli_usage(cli, "--wait and --app-dir are for builds, which %s",
                         s->no_build ? "--no-build leaves out" : "pool bundle alone has");
    int code = h.has_builds ? heat_app_find(cli, s->app_dir, app) : 0;
    if (code == 0)
        code = heat_call(cli, (uint32_t)s->slots, for_ms, &reply);
    if (code == 0 && h.has_builds)
        code = heat_build_publish(cli, app, h.build);
    if (code)
        return code;
    h.heat = reply->heat;
    return cli->common->json ? json_print(cli, &h, deadline_boot_ms)
                             : text_print(cli, &h, deadline_boot_ms);
}

static int heat_off_run(struct cli *cli)
{
    AUTO_REPLY reply = NULL;
    int code = heat_call(cli, 0, 0, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->heat->base);
    heat_print(reply->heat);
    return EXIT_OK;
}

/* ---- how warm it is ---- */

static json_t *pools_json(const Rota__StatsResult *stats)
{
    json_t *pools = json_array(), *document = json_object();
    for (size_t i = 0; i < stats->n_pool; i++) {
        const Rota__PoolStats *pool = stats->pool[i];
        json_array_append_new(
            pools, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "pool", pool->pool, "wanted",
                             (json_int_t)pool->heat_slots, "warm", (json_int_t)pool->slots,
                             "workers", (json_int_t)pool->workers, "ready", (json_int_t)pool->ready,
                             "until_ms", (json_int_t)pool->heat_until_ms));
    }
    json_object_set_new(document, "pools", pools);
    return document;
}

static void pools_print(const Rota__StatsResult *stats)
{
    char text[TEXT_SHORT_LEN + 1];
    AUTO(table) t = table_new("POOL WANTED> WARM> WORKERS> READY> UNTIL");
    for (size_t i = 0; i < stats->n_pool; i++) {
        const Rota__PoolStats *pool = stats->pool[i];
        bool is_short = pool->slots < pool->heat_slots || (pool->ready && !pool->slots);
        table_cell(t, STYLE_HEAD, "%s", pool->pool);
        table_cell(t, STYLE_PLAIN, "%u", pool->heat_slots);
        table_cell(t, is_short ? STYLE_WARN : STYLE_PLAIN, "%u", pool->slots);
        table_cell(t, STYLE_PLAIN, "%u", pool->workers);
        table_cell(t, STYLE_PLAIN, "%s", text_count(pool->ready, text));
        table_cell(t, STYLE_PLAIN, "%s", text_time(pool->heat_until_ms, text));
    }
    table_print(t);
}

static int heat_show_run(struct cli *cli)
{
    Rota__Stats op = ROTA__STATS__INIT;
    CLI_REQUEST(request, STATS, stats, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print(pools_json(reply->stats));
    pools_print(reply->stats);
    return EXIT_OK;
}

const struct command command_heat = {
    .name = "heat",
    .args = "[--pool NAME] [--slots N] [--for TIME] [--wait]",
    .about = "keeps workers warm, and fills what builds share",
    .details = "Idle workers of the pool stay until the time is over. For pool bundle, the sample "
               "app is built for android and ios in class heat, before all other jobs of account "
               "local: what that brings is there for later builds of that same app, in any "
               "account, and nothing else is delivered. With --wait the exit code is 0 when both have succeeded.",
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

const struct command command_heat_show = {
    .name = "heat show",
    .args = "",
    .about = "shows how many slots of each pool are wanted and warm, and until when",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = heat_show_run,
};
