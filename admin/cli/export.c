/* export.c: `rota export builds`: each job as one line of JSON with the columns of a table of
 * builds, in their order; what is not known is null. Pages are printed as they come, so that any
 * number of jobs passes through without being held. */
#include "commands.h"
#include "pages.h"
#include "pbjson.h"
#include "terminal.h"
#include "text.h"

#include <base/clock.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SAY_EVERY_MS = 200 };

struct export_settings {
    struct common common;
    struct where_options where;
};

static const struct option_row rows[] = {WHERE_ROWS(struct export_settings, where)};

static json_t *text_or_null(const char *text)
{
    json_t *value = text && *text ? json_string(text) : json_null();
    if (value)
        return value;
    AUTO_FREE char *clean = text_clean(text); /* not UTF-8: show it rather than lose it */
    return x_must(json_string(clean));
}

static json_t *seconds_or_null(uint64_t unix_ms)
{
    return unix_ms ? x_must(json_integer((json_int_t)(unix_ms / 1000))) : json_null();
}

static const Rota__Artifact *artifact_of(const Rota__Job *job, Rota__ObjectKind kind)
{
    for (size_t i = 0; i < job->n_artifact; i++)
        if (job->artifact[i]->kind == kind)
            return job->artifact[i];
    return NULL;
}

static json_t *hash_or_null(const Rota__Artifact *a)
{
    char hex[2 * 32 + 1] = "";
    for (size_t i = 0; a && i < a->sha256.len && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", a->sha256.data[i]);
    return text_or_null(hex);
}

/* "bundle/ACCOUNT/SHA256": where the object stands in the artifact store. Signed URLs expire. */
static json_t *object_or_null(const Rota__Job *job, const Rota__Artifact *a)
{
    char class[PB_WORD_LEN + 1];
    json_t *hash = hash_or_null(a);
    if (!json_is_string(hash))
        return hash;
    AUTO_FREE char *name =
        x_printf("%s/%s/%s", pb_word(&rota__object_kind__descriptor, (int)a->kind, class),
                 job->account, json_string_value(hash));
    json_decref(hash);
    return text_or_null(name);
}

/* ---- the columns ---- */

static json_t *id(const Rota__Job *job)
{
    return text_or_null(job->job);
}

static json_t *app_id(const Rota__Job *job)
{
    return text_or_null(job->app);
}

static json_t *user_id(const Rota__Job *job)
{
    return text_or_null(job->principal);
}

static json_t *tier(const Rota__Job *job)
{
    char word[PB_WORD_LEN + 1];
    return text_or_null(pb_word(&rota__tier__descriptor, (int)job->tier, word));
}

/* Whatever it waits for, it is queued. */
static json_t *status(const Rota__Job *job)
{
    char word[PB_WORD_LEN + 1];
    bool waits = job->state == ROTA__STATE__READY || job->state == ROTA__STATE__DELAYED ||
                 job->state == ROTA__STATE__HELD;
    return text_or_null(waits ? "queued"
                              : pb_word(&rota__state__descriptor, (int)job->state, word));
}

static json_t *source(const Rota__Job *job)
{
    return text_or_null(!strncmp(job->source, "git:", 4)      ? "github"
                        : !strncmp(job->source, "upload:", 7) ? "upload"
                                                              : "");
}

/* What stands behind the kind: an upload's hash, or repository and commit. */
static json_t *source_ref(const Rota__Job *job)
{
    const char *colon = strchr(job->source, ':');
    return text_or_null(colon ? colon + 1 : job->source);
}

static json_t *platform(const Rota__Job *job)
{
    return text_or_null(job->platform);
}

static json_t *created_at(const Rota__Job *job)
{
    return seconds_or_null(job->published_ms);
}

static json_t *started_at(const Rota__Job *job)
{
    return seconds_or_null(job->started_ms);
}

static json_t *completed_at(const Rota__Job *job)
{
    return seconds_or_null(job->finished_ms);
}

static json_t *bundle_url(const Rota__Job *job)
{
    return object_or_null(job, artifact_of(job, ROTA__OBJECT_KIND__BUNDLE));
}

static json_t *bundle_hash(const Rota__Job *job)
{
    return hash_or_null(artifact_of(job, ROTA__OBJECT_KIND__BUNDLE));
}

static json_t *sourcemap_url(const Rota__Job *job)
{
    return object_or_null(job, artifact_of(job, ROTA__OBJECT_KIND__MAP));
}

static json_t *bundle_size(const Rota__Job *job)
{
    const Rota__Artifact *a = artifact_of(job, ROTA__OBJECT_KIND__BUNDLE);
    return a ? x_must(json_integer((json_int_t)a->size)) : json_null();
}

static json_t *duration_ms(const Rota__Job *job)
{
    bool ran = job->started_ms && job->finished_ms >= job->started_ms;
    return ran ? x_must(json_integer((json_int_t)(job->finished_ms - job->started_ms)))
               : json_null();
}

static json_t *error(const Rota__Job *job)
{
    if (!job->error)
        return json_null();
    AUTO_FREE char *text = x_printf("%s: %s", job->error->name, job->error->text);
    return text_or_null(text);
}

static json_t *worker_id(const Rota__Job *job)
{
    return text_or_null(job->worker);
}

static json_t *timeout_ms(const Rota__Job *job)
{
    return x_must(json_integer((json_int_t)job->timeout_ms));
}

static const struct {
    const char *name;
    json_t *(*value)(const Rota__Job *job);
} columns[] = {
#define COLUMN(name)                                                                               \
    {                                                                                              \
#name, name                                                                                \
    }
    COLUMN(id),          COLUMN(app_id),        COLUMN(user_id),      COLUMN(tier),
    COLUMN(status),      COLUMN(source),        COLUMN(source_ref),   COLUMN(platform),
    COLUMN(created_at),  COLUMN(started_at),    COLUMN(completed_at), COLUMN(bundle_url),
    COLUMN(bundle_hash), COLUMN(sourcemap_url), COLUMN(bundle_size),  COLUMN(duration_ms),
    COLUMN(error),       COLUMN(worker_id),     COLUMN(timeout_ms),
#undef COLUMN
};
_Static_assert(ARRAY_LEN(columns) == 19, "the table of builds has 19 columns");

/* ---- the stream ---- */

struct export
{
    uint64_t jobs, said_ms;
    int fault; /* of standard output; once, and nothing more is written */
};

static void job_write(void *arg, const Rota__Job *job)
{
    struct export *e = arg;
    json_t *line = x_must(json_object());
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        json_object_set_new(line, columns[i].name, columns[i].value(job));
    if (!e->fault && (json_dumpf(line, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF))
        e->fault = errno ? -errno : -EIO;
    json_decref(line);
    e->jobs++;
}

static void page_said(void *arg)
{
    struct export *e = arg;
    char count[TEXT_SHORT_LEN + 1];
    uint64_t now_ms = clock_boot_ms();
    if (!term_is_live(2) || now_ms - e->said_ms < SAY_EVERY_MS)
        return;
    e->said_ms = now_ms;
    AUTO_FREE char *line = x_printf("%s jobs", text_count(e->jobs, count));
    term_live(stderr, line);
}

static int export_builds_run(struct cli *cli)
{
    const struct export_settings *s = cli->settings;
    struct export e = {.jobs = 0};
    struct where where;
    char count[TEXT_SHORT_LEN + 1];
    int code = where_take(&s->where, &where);
    if (code)
        return code;
    struct find_pages p = {
        .where = &where.where, .left = UINT64_MAX, .job = job_write, .page = page_said, .arg = &e};
    term_guard(NULL);
    code = find_pages(cli, &p);
    term_live_end(stderr);
    free(p.cursor);
    where_deinit(&where);
    if (!code && !e.fault && fflush(stdout) != 0)
        e.fault = -errno;
    if (!code && e.fault)
        return cli_io("standard output", e.fault);
    if (!code)
        fprintf(stderr, "%s job%s\n", text_count(e.jobs, count), e.jobs == 1 ? "" : "s");
    return code;
}

const struct command command_export_builds = {
    .name = "export builds",
    .args = "[FILTER OPTION]... > FILE",
    .about = "prints jobs as rows of a table of builds, one JSON object a line",
    .details = "The columns: id, app_id, user_id, tier, status, source, source_ref, platform, "
               "created_at, started_at, completed_at, bundle_url, bundle_hash, sourcemap_url, "
               "bundle_size, duration_ms, error, worker_id, timeout_ms. Times are Unix seconds; "
               "status is queued for ready, delayed and held jobs; source is upload or github; "
               "user_id is who published it; unknown values are null. bundle_url and sourcemap_url "
               "are references in the artifact store, CLASS/ACCOUNT/SHA256, because signed URLs "
               "expire: `rota download JOB` fetches the files. Newest first; jobs that are "
               "published meanwhile are not in it.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct export_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY,
    .run = export_builds_run,
};
