/* download.c: `rota download`: the artifacts of a job and the broker's statement about its bundle.
 * Each artifact is named by the job's own record and fetched by a capability of its own. */
#include "bundle.h"
#include "commands.h"
#include "object.h"
#include "pbjson.h"
#include "text.h"

#include <base/file.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct download_settings {
    struct common common;
    const char *out;
};

static const struct option_row rows[] = {
    OPTION_STR(struct download_settings, out, "out", "DIR", NULL,
               "into this folder, made when it is not there (without: one named like the job)"),
};

/* The files that this writes itself are no artifact's, and the provenance has one name. */
static bool name_is_good(const Rota__Artifact *artifact)
{
    const char *name = artifact->name;
    bool is_provenance = artifact->kind == ROTA__OBJECT_KIND__PROVENANCE;
    return object_name_is_plain(name) && strcmp(name, BUNDLE_ARTIFACTS) != 0 &&
           strcmp(name, BUNDLE_STATEMENT) != 0 && strcmp(name, BUNDLE_SIGNATURE) != 0 &&
           is_provenance == !strcmp(name, BUNDLE_PROVENANCE);
}

static int artifact_get(struct cli *cli, const Rota__Job *job, const Rota__Artifact *artifact,
                        const char *dir)
{
    char word[PB_WORD_LEN + 1], size[TEXT_SHORT_LEN + 1];
    Rota__SignDownload op = ROTA__SIGN_DOWNLOAD__INIT;
    op.job = job->job;
    op.kind = artifact->kind;
    op.name = artifact->name;
    CLI_REQUEST(request, SIGN_DOWNLOAD, sign_download, &op);
    AUTO_REPLY reply = NULL;
    if (!name_is_good(artifact))
        return cli_error(E_OBJECT_MISMATCH,
                         "an artifact is named %s: that is no name for a file here",
                         artifact->name);
    int code = cli_call(cli, &request, &reply);
    if (!code)
        code = object_get(reply->sign_download, dir, artifact->name);
    if (!code && !cli->common->json)
        printf("%-10s %9s  %s/%s\n",
               pb_word(&rota__object_kind__descriptor, (int)artifact->kind, word),
               text_bytes(artifact->size, size), dir, artifact->name);
    return code;
}

static int text_write(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = x_printf("%s/%s", dir, name);
    int r = file_write(path, 0644, text, strlen(text));
    return r < 0 ? cli_io(path, r) : 0;
}

static int artifacts_write(const char *dir, const Rota__Job *job)
{
    json_t *array = x_must(json_array());
    for (size_t i = 0; i < job->n_artifact; i++)
        json_array_append_new(array, pb_json(&job->artifact[i]->base));
    AUTO_FREE char *text = x_must(json_dumps(array, JSON_INDENT(2)));
    json_decref(array);
    return text_write(dir, BUNDLE_ARTIFACTS, text);
}

static int attestation_write(const char *dir, const Rota__Attestation *attestation)
{
    AUTO_FREE char *hex = x_alloc(attestation->signature.len * 2 + 1);
    sodium_bin2hex(hex, attestation->signature.len * 2 + 1, attestation->signature.data,
                   attestation->signature.len);
    int code = text_write(dir, BUNDLE_STATEMENT, attestation->statement);
    return code ? code : text_write(dir, BUNDLE_SIGNATURE, hex);
}

/* One-off outputs need not wait for the day to pass: they are here, whole. */
static int outputs_fetched(struct cli *cli, const Rota__Job *job)
{
    Rota__Fetched op = ROTA__FETCHED__INIT;
    op.job = job->job;
    CLI_REQUEST(request, FETCHED, fetched, &op);
    AUTO_REPLY reply = NULL;
    for (size_t i = 0; i < job->n_artifact; i++)
        if (job->artifact[i]->kind == ROTA__OBJECT_KIND__OUTPUT)
            return cli_call(cli, &request, &reply);
    return 0;
}

static int folder_fill(struct cli *cli, const Rota__Job *job, const char *dir)
{
    int r = dir_make(dir, 0755);
    if (r < 0)
        return cli_io(dir, r);
    for (size_t i = 0; i < job->n_artifact; i++) {
        int code = artifact_get(cli, job, job->artifact[i], dir);
        if (code)
            return code;
    }
    int code = artifacts_write(dir, job);
    if (!code && job->attestation)
        code = attestation_write(dir, job->attestation);
    if (!code)
        code = outputs_fetched(cli, job);
    return code;
}

static int download_run(struct cli *cli)
{
    const struct download_settings *s = cli->settings;
    Rota__Status op = ROTA__STATUS__INIT;
    op.job = cli->args[0];
    CLI_REQUEST(request, STATUS, status, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__Job *job = reply->status->job;
    if (!job || !job->n_artifact)
        return cli_error(E_OBJECT_MISSING, "%s has no artifacts", op.job);
    const char *dir = s->out ? s->out : op.job;
    code = folder_fill(cli, job, dir);
    if (code || !cli->common->json)
        return code;
    json_t *document = pb_json(&job->base);
    json_object_set_new(document, "dir", json_string(dir));
    return cli_print(document);
}

const struct command command_download = {
    .name = "download",
    .args = "JOB [--out DIR]",
    .about = "fetches a job's bundle, assets and map with the signed statement and provenance",
    .details = "`rota verify DIR` checks what this wrote. One-off outputs (of kind output) are "
               "deleted from the store once they are here, or a day after the job's end.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct download_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = download_run,
};
