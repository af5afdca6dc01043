/* stats.c: `rota stats`: depths by tier, pools, workers, the store. */
#include "commands.h"
#include "limits_view.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"
#include "worker.h"

#include <base/clock.h>
#include <stdio.h>
#include <string.h>

static void count_cell(struct table *t, uint64_t n)
{
    char text[TEXT_SHORT_LEN + 1];
    table_cell(t, n ? STYLE_PLAIN : STYLE_DIM, "%s", text_count(n, text));
}

static void bars_cell(struct table *t, uint32_t bars)
{
    char text[TEXT_SHORT_LEN + 1];
    table_cell(t, bars ? STYLE_WARN : STYLE_DIM, "%s", bars_text(bars, text));
}

static void tiers_print(const Rota__StatsResult *stats)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    AUTO(table)
    t = table_new("TIER READY> DELAYED> HELD> LEASED> OLDEST> ACCOUNTS> AT-CAP> BARRED> BARS");
    for (size_t i = 0; i < stats->n_tier; i++) {
        const Rota__TierStats *tier = stats->tier[i];
        table_cell(t, STYLE_HEAD, "%s", pb_word(&rota__tier__descriptor, (int)tier->tier, word));
        count_cell(t, tier->ready);
        count_cell(t, tier->delayed);
        count_cell(t, tier->held);
        count_cell(t, tier->leased);
        table_cell(t, STYLE_PLAIN, "%s",
                   tier->oldest_ms ? text_duration(tier->oldest_ms, text) : "-");
        count_cell(t, tier->accounts);
        count_cell(t, tier->at_cap);
        count_cell(t, tier->barred);
        bars_cell(t, tier->bars);
    }
    table_print(t);
}

static void pools_print(const Rota__StatsResult *stats)
{
    char text[TEXT_SHORT_LEN + 1];
    AUTO(table)
    t = table_new("POOL READY> LEASED> WAITING> LAST-TURN SINCE> DISPATCHED> BARS HEAT");
    for (size_t i = 0; i < stats->n_pool; i++) {
        const Rota__PoolStats *pool = stats->pool[i];
        table_cell(t, STYLE_HEAD, "%s", pool->pool);
        count_cell(t, pool->ready);
        count_cell(t, pool->leased);
        count_cell(t, pool->waiting_workers);
        table_cell(t, STYLE_PLAIN, "P%u", pool->c);
        table_cell(t, STYLE_PLAIN, "%u", pool->n);
        count_cell(t, pool->number);
        bars_cell(t, pool->bars);
        if (pool->heat_slots)
            table_cell(t, STYLE_WARN, "%u slots until %s", pool->heat_slots,
                       text_time(pool->heat_until_ms, text));
        else
            table_cell(t, STYLE_DIM, "off");
    }
    table_print(t);
}

static bool class_is_plain(const Rota__ClassStats *class)
{
    return !class->paused && !class->faults && !strcmp(class->breaker, "closed");
}

/* In a row, which only a closed breaker counts. */
static void faults_cell(struct table *t, const Rota__ClassStats *class)
{
    if (strcmp(class->breaker, "closed") == 0)
        count_cell(t, class->faults);
    else
        table_cell(t, STYLE_DIM, "-");
}

/* Only those that say something: paused, or with a breaker that has seen faults. */
static void classes_print(const Rota__StatsResult *stats)
{
    char text[TEXT_SHORT_LEN + 1];
    bool has_any = false;
    AUTO(table) t = table_new("CLASS POOL PAUSED BREAKER FAULTS> UNTIL");
    for (size_t i = 0; i < stats->n_pool; i++)
        for (size_t n = 0; n < stats->pool[i]->n_class_state; n++) {
            const Rota__ClassStats *class = stats->pool[i]->class_state[n];
            if (class_is_plain(class))
                continue;
            has_any = true;
            table_cell(t, STYLE_HEAD, "%s", class->class_);
            table_cell(t, STYLE_PLAIN, "%s", stats->pool[i]->pool);
            table_cell(t, class->paused ? STYLE_WARN : STYLE_DIM, "%s",
                       class->paused ? "yes" : "no");
            table_cell(t, STYLE_WARN, "%s", class->breaker);
            faults_cell(t, class);
            table_cell(t, STYLE_PLAIN, "%s", text_time(class->open_until_ms, text));
        }
    if (!has_any)
        return;
    table_print(t);
    putchar('\n');
}

static void artifacts_print(const Rota__ArtifactStats *a)
{
    char at[TEXT_SHORT_LEN + 1];
    if (!a || !strcmp(a->state, "ok"))
        return;
    AUTO(table) t = table_new("ARTIFACTS STATE BREAKER FAULTS> UNTIL SINCE WHY");
    table_cell(t, STYLE_HEAD, "%s", a->kind);
    table_cell(t, STYLE_WARN, "%s", a->state);
    table_cell(t, STYLE_PLAIN, "%s", *a->breaker ? a->breaker : "-");
    table_cell(t, STYLE_PLAIN, "%u", a->faults);
    table_cell(t, STYLE_PLAIN, "%s", text_time(a->open_until_ms, at));
    table_cell(t, STYLE_PLAIN, "%s", text_time(a->since_ms, at));
    if (*a->error)
        table_cell(t, STYLE_WARN, "%s (%s)", a->text, a->error);
    else
        table_cell(t, STYLE_WARN, "its disk is %u%% full", a->full_percent);
    table_print(t);
    putchar('\n');
}

/* What stands in the way of publishes and artifacts, when something does. */
static void health_print(const Rota__StatsResult *stats)
{
    artifacts_print(stats->artifact_store);
    if (stats->store_full)
        printf("%sThe database has no room: publishes are refused (STORE_FULL).%s\n\n",
               term_on(STYLE_WARN), term_off(STYLE_WARN));
}

static void totals_print(const Rota__StatsResult *stats)
{
    char jobs[TEXT_SHORT_LEN + 1], events[TEXT_SHORT_LEN + 1], up[TEXT_SHORT_LEN + 1];
    char used[TEXT_SHORT_LEN + 1], most[TEXT_SHORT_LEN + 1];
    printf("%srotad %s, %s: %s live jobs, %s events, %s of %s used, up %s%s\n", term_on(STYLE_DIM),
           stats->version, stats->environment, text_count(stats->jobs, jobs),
           text_count(stats->events, events), text_bytes(stats->map_bytes, used),
           text_bytes(stats->map_bytes_max, most), text_duration(stats->uptime_ms, up),
           term_off(STYLE_DIM));
}

static int stats_run(struct cli *cli)
{
    Rota__Stats op = ROTA__STATS__INIT;
    CLI_REQUEST(request, STATS, stats, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json) {
        json_t *document = pb_json(&reply->stats->base);
        json_object_set_new(document, "as_of_ms", json_integer((json_int_t)reply->as_of_ms));
        return cli_print(document);
    }
    tiers_print(reply->stats);
    putchar('\n');
    pools_print(reply->stats);
    putchar('\n');
    classes_print(reply->stats);
    workers_print(reply->stats->worker, reply->stats->n_worker);
    putchar('\n');
    health_print(reply->stats);
    totals_print(reply->stats);
    return EXIT_OK;
}

const struct command command_stats = {
    .name = "stats",
    .args = "",
    .about = "shows how deep the queue is, by tier, pool and worker",
    .details = "OLDEST is the greatest age of any account's head job. LAST-TURN and SINCE are the "
               "rotation: "
               "which lower tier had the last turn, and how many dispatches came after it. A "
               "store of artifacts that is not well, and a database without room, are shown as "
               "long as that lasts; --json always has them as artifact_store and store_full.",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = stats_run,
};
