/* statement.c: fills a statement from the job's own row, so that a worker can state only sizes and
 * hashes, never for whom or for what it built. */
#include "edge/statement.h"

#include "edge/artifacts.h"
#include "engine/auth.h"

#include <stdio.h>
#include <string.h>

static const char *const platforms[] = {"", "android", "ios"};

/* Copies a text of the database; longer ones cannot be (limits.def). */
static const char *text_of(struct span from, char *to, size_t n)
{
    size_t used = from.n < n ? from.n : n - 1;
    if (used)
        memcpy(to, from.p, used);
    to[used] = '\0';
    return to;
}

int statement_of(const struct attested *whose, const Rota__Artifact *artifact, const char *key_id,
                 char text[STATEMENT_LEN_MAX])
{
    const struct job_row *row = whose->row;
    char id[JOB_ID_TEXT_LEN + 1], account[ACCOUNT_ID_MAX + 1], app[65];
    const char *kind = artifact_class(artifact->kind);
    if (!kind || artifact->sha256.len != 32 || artifact->blake2b.len != 32)
        return SIGN_STATEMENT;
    struct statement s = {
        .environment = whose->environment,
        .job = job_id_text(whose->job, id),
        .account = text_of(row->account_id, account, sizeof account),
        .app = text_of(row->app_name, app, sizeof app),
        .platform = row->platform < ARRAY_LEN(platforms) ? platforms[row->platform] : "",
        .kind = kind,
        .size = artifact->size,
    };
    memcpy(s.sha256, artifact->sha256.data, sizeof s.sha256);
    memcpy(s.blake2b, artifact->blake2b.data, sizeof s.blake2b);
    snprintf(s.key_id, sizeof s.key_id, "%s", key_id);
    return statement_text(&s, text);
}
