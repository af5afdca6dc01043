/* verify_provenance.c: the envelope first, then what it says, then whether the files and the
 * statement say the same. Nothing of an envelope that no trusted key has signed is looked at. */
#include "verify_impl.h"

#include "bundle.h"

#include <base/auto.h>
#include <dsse.h>
#include <errno.h>
#include <intoto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fault(struct verification *v, const char *text)
{
    verify_fault(v, E_PROVENANCE_INVALID, "%s: %s", BUNDLE_PROVENANCE, text);
}

/* ---- the envelope ---- */

static bool signature_check(struct verification *v, const struct dsse *e)
{
    const struct verify_order *o = v->order;
    for (size_t i = 0; i < o->keys_n; i++) {
        if (dsse_verify(e, o->keys[i].public) != 0)
            continue;
        if (strcmp(o->keys[i].id, e->key_id) == 0)
            return true;
        verify_fault(v, E_PROVENANCE_INVALID, "the envelope names key %s, it was signed by %s",
                     e->key_id, o->keys[i].id);
        return false;
    }
    verify_fault(v, E_SIGNATURE_INVALID,
                 "the envelope was signed by none of the %zu trusted keys (%s%s); it names key %s",
                 o->keys_n, o->keys[0].id, o->keys_n > 1 ? " …" : "", e->key_id);
    return false;
}

/* The payload as JSON, once it is certain who wrote it. */
static bool envelope_open(struct verification *v, const char *text, size_t n, struct dsse *e)
{
    if (dsse_read(text, n, e) != 0) {
        fault(v, "no envelope of the form that rota writes");
        return false;
    }
    if (strcmp(e->type, DSSE_TYPE_INTOTO) != 0) {
        fault(v, "its payload is no in-toto statement");
        return false;
    }
    if (!signature_check(v, e))
        return false;
    v->result->provenance =
        json_loadb((const char *)e->payload, e->n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(v->result->provenance)) {
        fault(v, "its payload is no JSON object");
        return false;
    }
    return true;
}

/* ---- what it says, against the statement ---- */

static const json_t *part(const json_t *object, const char *path)
{
    char name[64];
    while (object && *path) {
        size_t n = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)n, path);
        object = json_object_get(object, name);
        path += n + (path[n] == '.');
    }
    return object;
}

static void words_check(struct verification *v, const char *key_id)
{
    const struct statement *s = &v->result->facts;
    char builder[256];
    snprintf(builder, sizeof builder, INTOTO_BUILDER ":%s:%s", s->environment ? s->environment : "",
             key_id);
    const struct {
        const char *path, *want, *what;
    } words[] = {
        {"_type", INTOTO_STATEMENT, "type of statement"},
        {"predicateType", INTOTO_PREDICATE, "type of predicate"},
        {"predicate.buildDefinition.buildType", INTOTO_BUILD_TYPE, "type of build"},
        {"predicate.buildDefinition.externalParameters.app", s->app, "app"},
        {"predicate.buildDefinition.externalParameters.platform", s->platform, "platform"},
        {"predicate.buildDefinition.internalParameters.account", s->account, "account"},
        {"predicate.buildDefinition.internalParameters.environment", s->environment, "environment"},
        {"predicate.runDetails.builder.id", builder, "builder"},
        {"predicate.runDetails.metadata.invocationId", s->job, "job"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *said = json_string_value(part(v->result->provenance, words[i].path));
        if (!said || !words[i].want || strcmp(said, words[i].want) != 0)
            verify_fault(v, E_PROVENANCE_INVALID, "%s: another %s than the statement's: %s",
                         BUNDLE_PROVENANCE, words[i].what, said ? said : "none");
    }
}

/* ---- subjects, against the files ---- */

static struct verified_file *file_named(struct verification *v, const char *name)
{
    for (size_t i = 0; i < v->files; i++)
        if (!strcmp(v->file[i].name, name))
            return &v->file[i];
    return NULL;
}

static void subject_check(struct verification *v, const json_t *subject)
{
    uint8_t sha256[HASH_BYTES], blake2b[HASH_BYTES];
    const json_t *digest = json_object_get(subject, "digest");
    const char *name = verify_word(subject, "name"),
               *kind = verify_word(json_object_get(subject, "annotations"), "kind");
    struct verified_file *f = file_named(v, name);
    if (!f || strcmp(f->kind, kind) != 0) {
        verify_fault(v, E_PROVENANCE_INVALID, "it speaks of %s, a %s that %s does not name", name,
                     kind, BUNDLE_ARTIFACTS);
        return;
    }
    if (!f->is_read)
        return; /* noted already */
    if (!verify_hash(digest, "sha256", sha256, HASH_BYTES) ||
        !verify_hash(digest, "blake2b_256", blake2b, HASH_BYTES) ||
        memcmp(sha256, f->sha256, HASH_BYTES) != 0 || memcmp(blake2b, f->blake2b, HASH_BYTES) != 0)
        verify_fault(v, E_OBJECT_MISMATCH, "%s is not the file that the provenance is about",
                     f->name);
    else
        f->is_signed = f->is_in_provenance = true;
}

static void subjects_check(struct verification *v)
{
    static const char *const public_kinds[] = {"bundle", "assets"};
    const json_t *subjects = json_object_get(v->result->provenance, "subject");
    if (!json_array_size(subjects))
        fault(v, "it speaks of no file");
    for (size_t i = 0; i < json_array_size(subjects); i++)
        subject_check(v, json_array_get(subjects, i));
    for (size_t i = 0; i < ARRAY_LEN(public_kinds); i++) {
        const struct verified_file *f = verify_file_of(v, public_kinds[i]);
        if (f && f->is_read && !f->is_in_provenance)
            verify_fault(v, E_PROVENANCE_INVALID, "no provenance stands for %s", f->name);
    }
}

/* ---- what it was made from: told, for there is nothing here to compare it with ---- */

static void source_note(struct verification *v, const json_t *entry)
{
    const json_t *digest = json_object_get(entry, "digest");
    const char *commit = verify_word(digest, "gitCommit");
    verify_note(v, "source", v->result->n_faults, "%s%s%s", verify_word(entry, "uri"),
                *commit ? ", commit " : "", commit);
}

static void lockfile_note(struct verification *v, const json_t *entry)
{
    verify_note(v, "lockfile", v->result->n_faults, "%s, sha256 %s", verify_word(entry, "name"),
                verify_word(json_object_get(entry, "digest"), "sha256"));
}

static void tool_say(char *text, size_t size, const json_t *entry)
{
    size_t used = strlen(text);
    const char *version = verify_word(json_object_get(entry, "annotations"), "version");
    snprintf(text + used, size - used, "%s%s%s%s", used ? ", " : "", verify_word(entry, "name"),
             *version ? " " : "", version);
}

static void dependencies_note(struct verification *v)
{
    char tools[VERIFY_TEXT_LEN + 1] = "";
    const json_t *list =
        part(v->result->provenance, "predicate.buildDefinition.resolvedDependencies");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *kind = verify_word(json_object_get(entry, "annotations"), "kind");
        if (!strcmp(kind, "source"))
            source_note(v, entry);
        else if (!strcmp(kind, "lockfile"))
            lockfile_note(v, entry);
        else if (!strcmp(kind, "tool"))
            tool_say(tools, sizeof tools, entry);
    }
    if (*tools)
        verify_note(v, "toolchain", v->result->n_faults, "%s", tools);
}

static void contents_check(struct verification *v, const char *key_id, size_t before)
{
    words_check(v, key_id);
    subjects_check(v);
    const json_t *metadata = part(v->result->provenance, "predicate.runDetails.metadata");
    verify_note(v, "provenance", before, "%zu files, built %s to %s, signed by key %s",
                json_array_size(json_object_get(v->result->provenance, "subject")),
                verify_word(metadata, "startedOn"), verify_word(metadata, "finishedOn"), key_id);
    dependencies_note(v);
}

static void absence_note(struct verification *v, size_t before)
{
    if (v->order->may_lack_provenance && !verify_file_of(v, "provenance"))
        verify_note(v, "provenance", before, "there is none");
    else
        verify_fault(v, E_PROVENANCE_MISSING, "%s is not in the folder", BUNDLE_PROVENANCE);
}

int verify_provenance(struct verification *v)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0, before = v->result->n_faults;
    int r = verify_read(v, BUNDLE_PROVENANCE, DSSE_TEXT_MAX, &text, &n);
    if (r == VERIFY_ABSENT) {
        absence_note(v, before);
        return 0;
    }
    if (r != 0 || !text)
        return r;
    AUTO_FREE struct dsse *e = calloc(1, sizeof *e);
    if (!e)
        return err_raise(-ENOMEM);
    if (envelope_open(v, text, n, e))
        contents_check(v, e->key_id, before);
    return 0;
}
