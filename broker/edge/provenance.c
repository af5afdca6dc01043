/* provenance.c: the document is built part by part; a part that could not be made (no memory, no
 * UTF-8) becomes NULL, which jansson refuses to put in, and the whole is then given up.
 *
 * The spec stands in it as it was published when it is small, else by its hash. */
#include "edge/provenance.h"

#include "edge/artifacts.h"
#include "intoto.h"
#include "source_ref.h"

#include <base/auto.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HASH_BYTES = 32, PURL_MAX = 3 * 128 + 24 };

static const char *const platforms[] = {"", "android", "ios"};

struct document {
    const struct provenance *p;
    char *why;
    bool is_broken; /* a part could not be made */
};

__attribute__((format(printf, 2, 3))) static int refuse(struct document *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(d->why, PROVENANCE_WHY_MAX, format, args);
    va_end(args);
    return PROVENANCE_FIELD;
}

/* ---- parts ---- */

/* The value, which now belongs to the object; NULL when it could not be put in. */
static json_t *put(struct document *d, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) == 0)
        return value;
    d->is_broken = true;
    return NULL;
}

static json_t *put_last(struct document *d, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) == 0)
        return value;
    d->is_broken = true;
    return NULL;
}

/* Empty ones are left out. */
static void put_text(struct document *d, json_t *object, const char *name, struct span text)
{
    if (text.n)
        put(d, object, name, json_stringn(text.p, text.n));
}

static void put_word(struct document *d, json_t *object, const char *name, const char *word)
{
    put_text(d, object, name, span_str(word));
}

static void put_hash(struct document *d, json_t *digest, const char *name, const uint8_t *hash)
{
    char hex[2 * HASH_BYTES + 1];
    put_word(d, digest, name, sodium_bin2hex(hex, sizeof hex, hash, HASH_BYTES));
}

static void put_time(struct document *d, json_t *object, const char *name, uint64_t unix_ms)
{
    char text[32];
    struct tm tm;
    time_t at = (time_t)(unix_ms / 1000);
    if (unix_ms && gmtime_r(&at, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        put_word(d, object, name, text);
}

/* ---- subject ---- */

static bool is_public(const Rota__Artifact *a)
{
    return a->kind == ROTA__OBJECT_KIND__BUNDLE || a->kind == ROTA__OBJECT_KIND__ASSETS;
}

static int subject_add(struct document *d, json_t *subjects, const Rota__Artifact *a)
{
    if (!is_public(a) || !*a->name || a->sha256.len != HASH_BYTES || a->blake2b.len != HASH_BYTES)
        return refuse(d, "attest: a public artifact needs kind, name and both hashes");
    json_t *subject = put_last(d, subjects, json_object());
    put_word(d, subject, "name", a->name);
    json_t *digest = put(d, subject, "digest", json_object());
    put_hash(d, digest, "sha256", a->sha256.data);
    put_hash(d, digest, "blake2b_256", a->blake2b.data);
    json_t *annotations = put(d, subject, "annotations", json_object());
    put_word(d, annotations, "kind", artifact_class(a->kind));
    return 0;
}

static int subjects_put(struct document *d, json_t *statement)
{
    const Rota__Attest *attest = d->p->attest;
    json_t *subjects = put(d, statement, "subject", json_array());
    int r = subject_add(d, subjects, attest->artifact);
    for (size_t i = 0; r == 0 && i < attest->n_other; i++)
        r = subject_add(d, subjects, attest->other[i]);
    return r;
}

/* ---- what it was made from ---- */

/* A new entry of the list; `by` is who says so. */
static json_t *dependency_add(struct document *d, json_t *list, const char *kind, const char *by)
{
    json_t *entry = put_last(d, list, json_object());
    json_t *annotations = put(d, entry, "annotations", json_object());
    put_word(d, annotations, "kind", kind);
    put_word(d, annotations, "statedBy", by);
    return entry;
}

static bool is_commit(const char *text)
{
    size_t n = strlen(text);
    return (n == 40 || n == 64) && strspn(text, "0123456789abcdef") == n;
}

/* "https://TOKEN@host/…": this document is public. */
static bool has_secret(const char *uri)
{
    const char *host = strstr(uri, "://");
    host = host ? host + 3 : uri;
    size_t n = strcspn(host, "/?#");
    return memchr(host, '@', n) != NULL;
}

static int git_put(struct document *d, json_t *list, const Rota__BuildFacts *f)
{
    char uri[sizeof "git+" + 512];
    if (has_secret(f->source_uri))
        return refuse(d, "attest.facts.source_uri: it has a user or a password in it");
    if (*f->source_commit && !is_commit(f->source_commit))
        return refuse(d, "attest.facts.source_commit: no 40 or 64 lower-case hex digits");
    json_t *source = dependency_add(d, list, "source", "worker");
    snprintf(uri, sizeof uri, "git+%s", f->source_uri);
    put_word(d, source, "uri", uri);
    json_t *digest = put(d, source, "digest", json_object());
    put_word(d, digest, "gitCommit", f->source_commit);
    return 0;
}

/* The hash of an uploaded source is the broker's own knowledge: it has looked at it. */
static int source_put(struct document *d, json_t *list)
{
    struct source_ref ref;
    const Rota__BuildFacts *f = d->p->attest->facts;
    if (*f->source_uri)
        return git_put(d, list, f);
    if (source_ref_parse(d->p->row->source, &ref) != 0 || ref.kind != SOURCE_UPLOAD)
        return 0;
    json_t *source = dependency_add(d, list, "source", "broker");
    put_text(d, source, "uri", d->p->row->source);
    put_hash(d, put(d, source, "digest", json_object()), "sha256", ref.sha256);
    return 0;
}

static int lockfile_put(struct document *d, json_t *list)
{
    const Rota__BuildFacts *f = d->p->attest->facts;
    if (!*f->lockfile)
        return 0;
    if (f->lockfile_sha256.len != HASH_BYTES)
        return refuse(d, "attest.facts.lockfile_sha256 is missing");
    json_t *lockfile = dependency_add(d, list, "lockfile", "worker");
    put_word(d, lockfile, "name", f->lockfile);
    json_t *digest = put(d, lockfile, "digest", json_object());
    put_hash(d, digest, "sha256", f->lockfile_sha256.data);
    return 0;
}

static size_t purl_part(char *purl, size_t at, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._~", c);
        if (is_plain) {
            purl[at++] = (char)c;
            continue;
        }
        purl[at++] = '%';
        purl[at++] = hex[c >> 4];
        purl[at++] = hex[c & 15];
    }
    purl[at] = '\0';
    return at;
}

/* "pkg:generic/node@20.19.0": an entry must have a URI or a digest. */
static void purl_put(struct document *d, json_t *entry, const Rota__BuildTool *tool)
{
    char purl[PURL_MAX + 1] = "pkg:generic/";
    size_t at = purl_part(purl, strlen(purl), tool->name);
    if (*tool->version) {
        purl[at++] = '@';
        purl_part(purl, at, tool->version);
    }
    put_word(d, entry, "uri", purl);
}

static int tool_put(struct document *d, json_t *list, const Rota__BuildTool *tool)
{
    if (!*tool->name)
        return refuse(d, "attest.facts.tool: one has no name");
    json_t *entry = dependency_add(d, list, "tool", "worker");
    put_word(d, entry, "name", tool->name);
    put_word(d, json_object_get(entry, "annotations"), "version", tool->version);
    purl_put(d, entry, tool);
    if (tool->sha256.len == HASH_BYTES)
        put_hash(d, put(d, entry, "digest", json_object()), "sha256", tool->sha256.data);
    return 0;
}

static int dependencies_put(struct document *d, json_t *definition)
{
    const Rota__BuildFacts *f = d->p->attest->facts;
    json_t *list = put(d, definition, "resolvedDependencies", json_array());
    int r = source_put(d, list);
    if (r == 0)
        r = lockfile_put(d, list);
    for (size_t i = 0; r == 0 && i < f->n_tool; i++)
        r = tool_put(d, list, f->tool[i]);
    return r;
}

/* ---- what was asked for ---- */

static void spec_put(struct document *d, json_t *external)
{
    const struct span spec = d->p->row->spec;
    uint8_t hash[HASH_BYTES];
    if (!spec.n)
        return;
    json_t *value = json_loadb(spec.p, spec.n, JSON_REJECT_DUPLICATES, NULL);
    size_t n = value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    if (n && n <= PROVENANCE_SPEC_MAX) {
        put(d, external, "spec", value);
        return;
    }
    json_decref(value);
    crypto_hash_sha256(hash, spec.p, spec.n);
    put_hash(d, external, "specSha256", hash);
}

static int definition_put(struct document *d, json_t *predicate)
{
    const struct job_row *row = d->p->row;
    json_t *definition = put(d, predicate, "buildDefinition", json_object());
    json_t *external = put(d, definition, "externalParameters", json_object());
    json_t *internal = put(d, definition, "internalParameters", json_object());
    put_word(d, definition, "buildType", INTOTO_BUILD_TYPE);
    put_text(d, external, "app", row->app_name);
    put_text(d, external, "class", row->class);
    if (row->platform < ARRAY_LEN(platforms))
        put_word(d, external, "platform", platforms[row->platform]);
    put_text(d, external, "source", row->source);
    put_text(d, external, "ref", row->ref);
    spec_put(d, external);
    put_text(d, internal, "account", row->account_id);
    put_word(d, internal, "environment", d->p->environment);
    return dependencies_put(d, definition);
}

/* ---- who says so ---- */

static void run_put(struct document *d, json_t *predicate)
{
    char id[200];
    const Rota__BuildFacts *f = d->p->attest->facts;
    json_t *run = put(d, predicate, "runDetails", json_object());
    json_t *metadata = put(d, run, "metadata", json_object());
    snprintf(id, sizeof id, INTOTO_BUILDER ":%s:%s", d->p->environment, d->p->key_id);
    put_word(d, put(d, run, "builder", json_object()), "id", id);
    put_word(d, metadata, "invocationId", d->p->job);
    put_time(d, metadata, "startedOn", f->started_ms);
    put_time(d, metadata, "finishedOn", f->finished_ms);
}

static void stated_put(struct document *d, json_t *predicate)
{
    json_t *stated = put(d, predicate, "rota_statedBy", json_object());
    put_word(d, stated, "broker",
             "externalParameters, internalParameters, builder, invocationId, an uploaded source");
    put_word(d, stated, "worker",
             "subject, resolvedDependencies unless marked otherwise, startedOn, finishedOn");
}

static int statement_fill(struct document *d, json_t *statement)
{
    json_t *predicate = put(d, statement, "predicate", json_object());
    put_word(d, statement, "_type", INTOTO_STATEMENT);
    put_word(d, statement, "predicateType", INTOTO_PREDICATE);
    int r = subjects_put(d, statement);
    if (r == 0)
        r = definition_put(d, predicate);
    run_put(d, predicate);
    stated_put(d, predicate);
    return r;
}

int provenance_text(const struct provenance *p, char **ret_text, char why[PROVENANCE_WHY_MAX])
{
    struct document d = {.p = p, .why = why};
    json_t *statement = json_object();
    int r = statement_fill(&d, statement);
    char *text =
        r == 0 && !d.is_broken ? json_dumps(statement, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(statement);
    if (r != 0)
        return r;
    if (!text)
        return err_raise(-ENOMEM);
    *ret_text = text;
    return 0;
}
