/* exec.c: the runner's row, and what both ways share. */
#include "exec.h"

#include <base/auto.h>
#include <base/exit.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void exec_env_fill(const struct build *b, struct exec_env *ret_env)
{
    size_t n = 0;
    *ret_env = (struct exec_env){0};
    snprintf(ret_env->fact[0], EXEC_TEXT_MAX, "ROTA_JOB_ID=%s", b->job);
    snprintf(ret_env->fact[1], EXEC_TEXT_MAX, "ROTA_ACCOUNT=%s", b->account);
    snprintf(ret_env->fact[2], EXEC_TEXT_MAX, "ROTA_TIER=%s", b->tier);
    snprintf(ret_env->fact[3], EXEC_TEXT_MAX, "ROTA_ATTEMPT=%u", b->attempt);
    for (; n < EXEC_FACTS; n++)
        ret_env->all[n] = ret_env->fact[n];
    for (size_t i = 0; i < b->vars && n < EXEC_ENV_MAX; i++)
        ret_env->all[n++] = b->var[i].text;
}

void exec_judge(int status, int signal, struct build_result *ret)
{
    if (signal != 0)
        build_fail(ret, E_RUNNER_FAILED, "the runner was ended by signal %d (%s)", signal,
                   strsignal(signal));
    else if (status == EXIT_TRY_AGAIN)
        build_fail(ret, E_RUNNER_FAULT, "the runner ended with 75: an infrastructure fault");
    else if (status != 0)
        build_fail(ret, E_RUNNER_FAILED, "the runner ended with exit status %d", status);
    else
        ret->outcome = BUILD_SUCCEEDED;
}

static int exec_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX])
{
    if (s->path[0] != '/' || access(s->path, X_OK) < 0) {
        snprintf(said, RUNNER_SAID_MAX,
                 "%s cannot be executed: give --runner exec: an absolute path to a program",
                 s->path);
        return RUNNER_UNUSABLE;
    }
    return s->is_on_host ? host_check(s, said) : boxed_check(s, said);
}

static int exec_explain(const struct runner_settings *s, const char *phase, FILE *to)
{
    if (!s->is_on_host)
        return boxed_explain(s, phase, to);
    fprintf(to, "--exec-host: the runner sees what the worker sees\n");
    return 0;
}

static int exec_run(struct build *b, struct build_result *ret)
{
    if (b->is_token_withheld)
        build_log_line(b, "ROTA_GIT_TOKEN is left out: this job's source is not the app's "
                          "repository");
    return b->settings->is_on_host ? host_run(b, ret) : boxed_run(b, ret);
}

static const char *const classes[] = {"task", NULL};

const struct runner runner_exec = {.name = "exec",
                                   .class = classes,
                                   .check = exec_check,
                                   .explain = exec_explain,
                                   .run = exec_run};
