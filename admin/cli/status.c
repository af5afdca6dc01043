/* status.c: `rota status`: everything that is known of one job. */
#include "commands.h"
#include "job.h"

static int status_run(struct cli *cli)
{
    Rota__Status op = ROTA__STATUS__INIT;
    op.job = cli->args[0];
    CLI_REQUEST(request, STATUS, status, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__Job *job = reply->status->job;
    if (!job)
        return cli_error(E_MALFORMED, "the broker's answer holds no job");
    if (cli->common->json)
        return cli_print_message(&job->base);
    job_print(job);
    return EXIT_OK;
}

const struct command command_status = {
    .name = "status",
    .args = "JOB",
    .about = "shows a job: state, progress, times, artifacts, error",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = status_run,
};
