/* heat_build.c: see heat_build.h. */
#include "heat_build.h"

#include "follow.h"
#include "job.h"
#include "pbjson.h"
#include "source.h"
#include "text.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const platforms[HEAT_PLATFORMS] = {"android", "ios"};

/* ---- the app ---- */

static bool is_app(const char *folder)
{
    struct stat st;
    AUTO_FREE char *manifest = x_printf("%s/package.json", folder);
    return stat(manifest, &st) == 0 && S_ISREG(st.st_mode);
}

/* The folder this program lies in. */
static int own_folder(char ret_path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return err_raise(-errno);
    self[n] = '\0';
    snprintf(ret_path, PATH_MAX, "%s", dirname(self));
    return 0;
}

static bool is_found(const char *folder, char ret_path[PATH_MAX])
{
    char path[PATH_MAX];
    if (!realpath(folder, path) || !is_app(path))
        return false;
    memcpy(ret_path, path, sizeof path);
    return true;
}

int heat_app_find(const struct cli *cli, const char *told, char ret_path[PATH_MAX])
{
    static const char *const places[] = {"apps/hello", "../share/rota/apps/hello",
                                         "../tests/apps/hello"};
    char own[PATH_MAX];
    if (told && is_found(told, ret_path))
        return 0;
    if (told)
        return cli_usage(cli, "--app-dir %s: there is no package.json in it", told);
    int r = own_folder(own);
    if (r < 0)
        return cli_io("/proc/self/exe", r);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        AUTO_FREE char *folder = x_printf("%s/%s", own, places[i]);
        if (is_found(folder, ret_path))
            return 0;
    }
    return cli_config("name an app with --app-dir, or heat with --no-build",
                      "the sample app lies neither beside this program nor in ../share/rota");
}

/* ---- publishing ---- */

static int publish(struct cli *cli, struct source_sent *sent, struct heat_build *ret_build)
{
    char key[27];
    Rota__Publish op = ROTA__PUBLISH__INIT;
    op.account = (char *)"local";
    op.app = op.class_ = (char *)"heat";
    op.platform = (char *)ret_build->platform;
    op.priority = 1;
    op.ref = (char *)"heat"; /* pressed again, it is built once more and not twice */
    op.supersede = true;
    source_fill(sent, &op);
    rota_idempotency_key(key);
    op.idempotency_key = key;
    CLI_REQUEST(request, PUBLISH, publish, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code == 0)
        snprintf(ret_build->job, sizeof ret_build->job, "%s", reply->publish->job);
    return code;
}

int heat_build_publish(struct cli *cli, const char *folder,
                       struct heat_build ret_builds[HEAT_PLATFORMS])
{
    AUTO_FREE char *source = x_printf("dir:%s", folder);
    struct source_sent sent = {0};
    int code = source_upload(cli, source, "local", &sent);
    for (size_t i = 0; i < HEAT_PLATFORMS && code == 0; i++) {
        ret_builds[i].platform = platforms[i];
        code = publish(cli, &sent, &ret_builds[i]);
    }
    source_forget(&sent);
    return code;
}

/* ---- following ---- */

static int show_progress(void *arg, const Rota__Job *job)
{
    AUTO_FREE char *line = job_line(job);
    AUTO_FREE char *text = x_printf("%s  %s", (const char *)arg, line);
    term_live(stderr, text);
    return 0;
}

static void phases_print(const char *platform, const Rota__Job *job)
{
    char word[32], took[TEXT_SHORT_LEN + 1];
    uint64_t all_ms = job->finished_ms > job->started_ms ? job->finished_ms - job->started_ms : 0;
    printf("%-8s %s in %s:", platform, job_state_word(job, word), text_duration(all_ms, took));
    for (size_t i = 0; i < job->n_phase_time; i++) {
        AUTO_FREE char *phase = text_clean(job->phase_time[i]->phase);
        printf("%s %s %s", i ? "," : "", phase, text_duration(job->phase_time[i]->ms, took));
    }
    printf("%s\n", job->n_phase_time ? "" : " no phases");
}

static int follow_one(struct cli *cli, const struct heat_build *build, uint64_t deadline_boot_ms,
                      json_t *to)
{
    AUTO_REPLY reply = NULL;
    struct follow f = {.job = build->job,
                       .deadline_boot_ms = deadline_boot_ms,
                       .changed = show_progress,
                       .arg = (void *)(uintptr_t)build->platform};
    int code = follow_job(cli, &f, &reply);
    term_live_end(stderr);
    if (code)
        return code;
    const Rota__Job *job = reply->watch->job;
    if (to)
        json_array_append_new(to, pb_json(&job->base));
    else
        phases_print(build->platform, job);
    return job_end(job);
}

int heat_build_follow(struct cli *cli, const struct heat_build builds[HEAT_PLATFORMS],
                      uint64_t deadline_boot_ms, json_t *to)
{
    int first = 0;
    for (size_t i = 0; i < HEAT_PLATFORMS; i++) {
        int code = follow_one(cli, &builds[i], deadline_boot_ms, to);
        first = first ? first : code;
    }
    return first;
}
