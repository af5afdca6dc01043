/* next.c: `rota next N`: what would be dispatched next if nothing else happened. */
#include "commands.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>

enum { NEXT_MAX = 100 };

struct next_settings {
    struct common common;
    const char *pool;
};

static const struct option_row rows[] = {
    OPTION_STR(struct next_settings, pool, "pool", "NAME", NULL,
               "of this pool; without: of bundle, or of the only pool that has ready jobs"),
};

static int count_read(const struct cli *cli, uint32_t *ret_count)
{
    char *end = NULL;
    if (!cli->n_args)
        return 0;
    errno = 0;
    unsigned long n = strtoul(cli->args[0], &end, 10);
    if (errno || *end || n < 1 || n > NEXT_MAX || *cli->args[0] == '-')
        return cli_usage(cli, "next %s: N is a number from 1 to %d", cli->args[0], NEXT_MAX);
    *ret_count = (uint32_t)n;
    return 0;
}

static void next_print(const Rota__NextResult *result)
{
    char waited[TEXT_SHORT_LEN + 1], tier[PB_WORD_LEN + 1];
    AUTO(table) t = table_new("#> TIER JOB ACCOUNT APP WAITED>");
    for (size_t i = 0; i < result->n_job; i++) {
        const Rota__NextJob *job = result->job[i];
        table_cell(t, STYLE_DIM, "%zu", i + 1);
        table_cell(t, STYLE_PLAIN, "%s", pb_word(&rota__tier__descriptor, (int)job->tier, tier));
        table_cell(t, STYLE_PLAIN, "%s", job->job);
        table_cell(t, STYLE_PLAIN, "%s", job->account);
        table_cell(t, STYLE_PLAIN, "%s", *job->app ? job->app : "-");
        table_cell(t, STYLE_PLAIN, "%s", text_duration(job->waited_ms, waited));
    }
    table_print(t);
}

/* The pool that the user means by naming none: the one that has ready jobs when it is alone in
 * that, else the broker's own choice. The caller frees *ret_pool. */
static int pool_guess(struct cli *cli, char **ret_pool)
{
    Rota__Stats op = ROTA__STATS__INIT;
    CLI_REQUEST(request, STATS, stats, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__PoolStats *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < reply->stats->n_pool; i++)
        if (reply->stats->pool[i]->ready) {
            found = reply->stats->pool[i];
            n++;
        }
    *ret_pool = x_strdup(n == 1 ? found->pool : "bundle");
    return 0;
}

static int next_run(struct cli *cli)
{
    const struct next_settings *s = cli->settings;
    Rota__Next op = ROTA__NEXT__INIT;
    int code = count_read(cli, &op.count);
    if (code)
        return code;
    AUTO_FREE char *pool = s->pool ? x_strdup(s->pool) : NULL;
    if (!pool)
        code = pool_guess(cli, &pool);
    if (code)
        return code;
    op.pool = pool;
    CLI_REQUEST(request, NEXT, next, &op);
    AUTO_REPLY reply = NULL;
    code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json) {
        json_t *document = pb_json(&reply->next->base);
        json_object_set_new(document, "pool", json_string(pool));
        return cli_print(document);
    }
    next_print(reply->next);
    return EXIT_OK;
}

const struct command command_next = {
    .name = "next",
    .args = "[N] [--pool NAME]",
    .about = "shows the next N dispatches (10) if nothing else happened",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct next_settings),
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = next_run,
};
