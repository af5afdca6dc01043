/* worker.c: `rota worker list`: one row for a worker, one for each job that it holds. */
#include "worker.h"

#include "commands.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static char *classes_text(const Rota__WorkerStats *w)
{
    char *text = x_strdup("");
    for (size_t i = 0; i < w->n_class_; i++) {
        char *longer = x_printf("%s%s%s", text, i ? "," : "", w->class_[i]);
        free(text);
        text = longer;
    }
    return text;
}

static void job_rows(struct table *t, const Rota__WorkerStats *w)
{
    char took[TEXT_SHORT_LEN + 1];
    for (size_t i = 0; i < w->n_job; i++) {
        const Rota__WorkerJob *job = w->job[i];
        if (i) {
            for (int blank = 0; blank < 5; blank++)
                table_cell(t, STYLE_PLAIN, "%s", "");
        }
        table_cell(t, STYLE_PLAIN, "%s", job->job);
        table_cell(t, STYLE_PLAIN, "%s", *job->phase ? job->phase : "-");
        table_cell(t, STYLE_PLAIN, "%u", job->percent);
        table_cell(t, STYLE_PLAIN, "%s", text_duration(job->running_ms, took));
    }
    if (!w->n_job)
        for (int blank = 0; blank < 4; blank++)
            table_cell(t, STYLE_DIM, "%s", blank ? "" : w->draining ? "draining" : "idle");
}

void workers_print(Rota__WorkerStats *const *workers, size_t n)
{
    char seen[TEXT_SHORT_LEN + 1];
    AUTO(table) t = table_new("WORKER POOL CLASSES SLOTS> SEEN> JOB PHASE %> RUNNING>");
    for (size_t i = 0; i < n; i++) {
        const Rota__WorkerStats *w = workers[i];
        char *classes = classes_text(w);
        table_cell(t, STYLE_HEAD, "%s", w->worker);
        table_cell(t, STYLE_PLAIN, "%s", w->pool);
        table_cell(t, STYLE_PLAIN, "%s", classes);
        table_cell(t, STYLE_PLAIN, "%zu/%u", w->n_job, w->slots);
        table_cell(t, STYLE_PLAIN, "%s", text_duration(w->seen_ms, seen));
        job_rows(t, w);
        free(classes);
    }
    table_print(t);
}

static int worker_list_run(struct cli *cli)
{
    Rota__WorkerList op = ROTA__WORKER_LIST__INIT;
    CLI_REQUEST(request, WORKER_LIST, worker_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->worker_list->base);
    workers_print(reply->worker_list->worker, reply->worker_list->n_worker);
    return EXIT_OK;
}

const struct command command_worker_list = {
    .name = "worker list",
    .args = "",
    .about = "lists the connected workers and what they do",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = worker_list_run,
};
