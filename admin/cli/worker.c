/* worker.c: `rota worker list`: one row for a worker, one for each job that it holds; and below
 * what each has for its jobs. */
#include "worker.h"

#include "commands.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static char *names_text(char *const *names, size_t n)
{
    char *text = x_strdup("");
    for (size_t i = 0; i < n; i++) {
        char *longer = x_printf("%s%s%s", text, i ? "," : "", names[i]);
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
        char *classes = names_text(w->class_, w->n_class_);
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

static void resources_row(struct table *t, const Rota__WorkerStats *w)
{
    const Rota__Resources *r = w->resources;
    char memory[TEXT_SHORT_LEN + 1], workspace[TEXT_SHORT_LEN + 1];
    char *nodes = names_text(r->node, r->n_node), *managers = names_text(r->manager, r->n_manager);
    table_cell(t, STYLE_HEAD, "%s", w->worker);
    table_cell(t, STYLE_PLAIN, "%u", r->cpus);
    table_cell(t, STYLE_PLAIN, "%s", text_bytes(r->memory_bytes, memory));
    table_cell(t, STYLE_PLAIN, "%s",
               r->workspace_bytes ? text_bytes(r->workspace_bytes, workspace) : "-");
    table_cell(t, STYLE_PLAIN, "%s", *r->limits ? r->limits : "-");
    table_cell(t, STYLE_PLAIN, "%s", *r->isolation ? r->isolation : "-");
    table_cell(t, STYLE_PLAIN, "%s", *nodes ? nodes : "-");
    table_cell(t, STYLE_PLAIN, "%s", *managers ? managers : "-");
    free(nodes);
    free(managers);
}

static void resources_print(Rota__WorkerStats *const *workers, size_t n)
{
    size_t said = 0;
    AUTO(table) t = table_new("WORKER CPUS> MEMORY> WORKSPACE> LIMITS ISOLATION NODE MANAGERS");
    for (size_t i = 0; i < n; i++) {
        if (!workers[i]->resources)
            continue;
        resources_row(t, workers[i]);
        said++;
    }
    if (!said)
        return;
    putchar('\n');
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
    resources_print(reply->worker_list->worker, reply->worker_list->n_worker);
    return EXIT_OK;
}

const struct command command_worker_list = {
    .name = "worker list",
    .args = "",
    .about = "lists the connected workers, what they do, and what they have for it",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = worker_list_run,
};
