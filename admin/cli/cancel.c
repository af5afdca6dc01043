/* cancel.c: `rota cancel`: a job that waits ends at once; a running one when its worker let go. */
#include "commands.h"
#include "pbjson.h"

#include <stdio.h>

struct cancel_settings {
    struct common common;
    const char *reason;
};

static const struct option_row rows[] = {
    OPTION_STR(struct cancel_settings, reason, "reason", "TEXT", NULL, "why, for the job's record"),
};

static int cancel_run(struct cli *cli)
{
    const struct cancel_settings *s = cli->settings;
    Rota__Cancel op = ROTA__CANCEL__INIT;
    op.job = cli->args[0];
    op.reason = (char *)(s->reason ? s->reason : "");
    CLI_REQUEST(request, CANCEL, cancel, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    json_t *document = pb_json(&reply->cancel->base);
    if (cli->common->json) {
        json_object_set_new(document, "job", json_string(op.job));
        return cli_print(document);
    }
    json_decref(document);
    printf("%s %s\n", op.job,
           reply->cancel->cancelling ? "is being cancelled: its worker has been told"
                                     : "cancelled");
    return EXIT_OK;
}

const struct command command_cancel = {
    .name = "cancel",
    .args = "JOB [--reason TEXT]",
    .about = "ends a job: a waiting one at once, a running one within seconds",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct cancel_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = cancel_run,
};
