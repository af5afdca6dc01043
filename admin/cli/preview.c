/* preview.c: see preview.h. */
#include "preview.h"

#include "text.h"

#include <errno.h>
#include <stdio.h>

int preview_count(const struct cli *cli, uint32_t *ret_count)
{
    char *end = NULL;
    *ret_count = 0;
    if (!cli->n_args)
        return 0;
    errno = 0;
    unsigned long n = strtoul(cli->args[0], &end, 10);
    if (errno || *end || n < 1 || n > PREVIEW_MAX || *cli->args[0] == '-')
        return cli_usage(cli, "%s %s: N is a number from 1 to %d", cli->command->name, cli->args[0],
                         PREVIEW_MAX);
    *ret_count = (uint32_t)n;
    return 0;
}

int preview_pool(struct cli *cli, const char *pool, char **ret_pool)
{
    Rota__Stats op = ROTA__STATS__INIT;
    CLI_REQUEST(request, STATS, stats, &op);
    AUTO_REPLY reply = NULL;
    if (pool) {
        *ret_pool = x_strdup(pool);
        return 0;
    }
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

int preview_ask(struct cli *cli, Rota__Next *op, Rota__Reply **ret_reply)
{
    CLI_REQUEST(request, NEXT, next, op);
    return cli_call(cli, &request, ret_reply);
}

const char *preview_start(const Rota__NextJob *job, char text[PREVIEW_START_LEN + 1])
{
    char time[TEXT_SHORT_LEN + 1];
    if (job->eta_ms <= 1)
        return job->eta_ms ? "now" : "-";
    snprintf(text, PREVIEW_START_LEN + 1, "in %s", text_duration(job->eta_ms, time));
    return text;
}
