/* next.c: `rota next N`: what would be dispatched next if nothing else happened. */
#include "commands.h"
#include "pbjson.h"
#include "preview.h"
#include "table.h"
#include "text.h"

#include <stdio.h>

struct next_settings {
    struct common common;
    const char *pool;
};

static const struct option_row rows[] = {
    OPTION_STR(struct next_settings, pool, "pool", "NAME", NULL,
               "of this pool; without: of bundle, or of the only pool that has ready jobs"),
};

static void next_print(const Rota__NextResult *result, const char *pool)
{
    char waited[TEXT_SHORT_LEN + 1], tier[PB_WORD_LEN + 1], start[PREVIEW_START_LEN + 1];
    AUTO(table) t = table_new("#> TIER JOB ACCOUNT APP WAITED> STARTS>");
    for (size_t i = 0; i < result->n_job; i++) {
        const Rota__NextJob *job = result->job[i];
        table_cell(t, STYLE_DIM, "%zu", i + 1);
        table_cell(t, STYLE_PLAIN, "%s", pb_word(&rota__tier__descriptor, (int)job->tier, tier));
        table_cell(t, STYLE_PLAIN, "%s", job->job);
        table_cell(t, STYLE_PLAIN, "%s", job->account);
        table_cell(t, STYLE_PLAIN, "%s", *job->app ? job->app : "-");
        table_cell(t, STYLE_PLAIN, "%s", text_duration(job->waited_ms, waited));
        table_cell(t, STYLE_PLAIN, "%s", preview_start(job, start));
    }
    if (result->n_job)
        table_print(t);
    else
        printf("no job of pool %s can begin now; `rota stats` shows what waits\n", pool);
}

static int next_run(struct cli *cli)
{
    const struct next_settings *s = cli->settings;
    Rota__Next op = ROTA__NEXT__INIT;
    AUTO_FREE char *pool = NULL;
    AUTO_REPLY reply = NULL;
    int code = preview_count(cli, &op.count);
    if (!code)
        code = preview_pool(cli, s->pool, &pool);
    if (code)
        return code;
    op.pool = pool;
    code = preview_ask(cli, &op, &reply);
    if (code)
        return code;
    if (cli->common->json) {
        json_t *document = pb_json(&reply->next->base);
        json_object_set_new(document, "pool", json_string(pool));
        return cli_print(document);
    }
    next_print(reply->next, pool);
    return EXIT_OK;
}

const struct command command_next = {
    .name = "next",
    .args = "[N] [--pool NAME]",
    .about = "shows the next N dispatches (10) if nothing else happened",
    .details =
        "Plays the scheduler's rule over the queue as it is at this moment: pauses hold, and "
        "accounts "
        "at their cap stay out. Not played, because only time will tell: jobs that end or are "
        "published meanwhile, delayed jobs that fall due, and rate limits. STARTS is reckoned from "
        "how long the pool's jobs took of late and how many slots work; - when no worker is there.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct next_settings),
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = next_run,
};
