/* logs.c: `rota logs`: the log of a job, with -f until the job is over.
 *
 * The text is the build's own: escape sequences are taken out unless --raw asks for the bytes. */
#include "commands.h"
#include "follow.h"
#include "terminal.h"
#include "text.h"

#include <stdio.h>

enum { IDLE_MS = 300 };

struct logs_settings {
    struct common common;
    bool follow, raw;
};

static const struct option_row rows[] = {
    OPTION_FLAG(struct logs_settings, follow, "follow", "go on until the job is over (-f)"),
    OPTION_FLAG(struct logs_settings, raw, "raw", "print the bytes as they are, escapes included"),
};

struct logs {
    uint64_t offset;
    int clean_state;
    bool raw;
};

static int logs_read(struct cli *cli, uint64_t offset, Rota__Reply **ret_reply)
{
    Rota__LogRead op = ROTA__LOG_READ__INIT;
    op.job = cli->args[0];
    op.offset = offset;
    CLI_REQUEST(request, LOG_READ, log_read, &op);
    return cli_try(cli, &request, 0, ret_reply);
}

static void logs_print(struct logs *l, const Rota__LogReadResult *part)
{
    if (part->offset > l->offset && part->data.len)
        fprintf(stderr, "rota: %llu bytes before this are no longer kept\n",
                (unsigned long long)(part->offset - l->offset));
    if (!part->data.len) {
        /* nothing yet */
    } else if (l->raw) {
        fwrite(part->data.data, 1, part->data.len, stdout);
    } else {
        size_t n = 0;
        char *clean =
            text_clean_log((const char *)part->data.data, part->data.len, &l->clean_state, &n);
        fwrite(clean, 1, n, stdout);
        free(clean);
    }
    fflush(stdout);
    l->offset = part->next;
}

static int logs_run(struct cli *cli)
{
    const struct logs_settings *s = cli->settings;
    struct logs l = {.raw = s->raw};
    term_guard(NULL);
    for (;;) {
        AUTO_REPLY reply = NULL;
        int code = logs_read(cli, l.offset, &reply);
        if (code)
            return code;
        bool is_passing = reply->error && s->follow && follow_is_passing(reply->error);
        if (reply->error && !is_passing)
            return cli_refused(reply->error);
        bool is_empty = true;
        if (!reply->error) {
            is_empty = reply->log_read->next <= l.offset;
            logs_print(&l, reply->log_read);
            if (is_empty && (reply->log_read->ended || !s->follow))
                return ferror(stdout) ? EXIT_IO : EXIT_OK;
        }
        if (is_empty)
            follow_pause(IDLE_MS);
    }
}

const struct command command_logs = {
    .name = "logs",
    .args = "JOB [--follow]",
    .about = "prints a job's log",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct logs_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY,
    .run = logs_run,
};
