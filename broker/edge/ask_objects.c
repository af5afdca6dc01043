/* ask_objects.c: capabilities: URLs of the artifact store.
 *
 * With the store of files a capability is a file:// URL, of use on this host only; callers from
 * elsewhere are told so instead of being handed a path. A bucket's URLs are good everywhere, and no
 * question here makes a trip to it: what is stored stands in the database. Sizes and the account's
 * storage are checked here, before a byte travels. */
#include "edge/ask.h"
#include "edge/health.h"
#include "engine/account_limits.h"
#include "source_ref.h"
#include "store/keys.h"

#include <base/arena.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Largest objects that no limit of the account bounds; 0: one does. */
static const uint64_t size_max[] = {
    [ROTA__OBJECT_KIND__BUNDLE] = 0,           [ROTA__OBJECT_KIND__ASSETS] = 0,
    [ROTA__OBJECT_KIND__MAP] = 200000000,      [ROTA__OBJECT_KIND__BUILD_LOG] = 64000000,
    [ROTA__OBJECT_KIND__PROVENANCE] = 1000000, [ROTA__OBJECT_KIND__OUTPUT] = 1000000000,
};

enum error_code ask_refuse(struct ask *a, enum error_code code, const char *format, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    a->q.text = arena_str(a->q.arena, text);
    return code;
}

enum error_code ask_lease(struct ask *a, const Rota__LeaseRef *ref, struct board_lease *ret_lease)
{
    struct job_id job;
    if (!ref)
        return ask_refuse(a, E_FIELD_MISSING, "the request names no lease");
    if (job_id_parse(ref->job, &job) != 0)
        return E_JOB_ID_INVALID;
    if (board_lease(a->edge->board, job, ret_lease) != 0 || ret_lease->epoch != ref->epoch ||
        ret_lease->token != ref->token)
        return ask_refuse(a, E_LEASE_LOST, "lease %llu of %s is no longer yours",
                          (unsigned long long)ref->token, ref->job);
    return E_OK;
}

static enum error_code ask_fault(struct ask *a, int r, const char *what)
{
    char why[160];
    err_trace(why, sizeof why);
    return ask_refuse(a, r == -ENOMEM ? E_MEMORY : E_UPLOAD_FAILED, "%s: %s", what, why);
}

enum error_code ask_store(struct ask *a, int r)
{
    char text[HEALTH_TEXT_MAX];
    if (r != ARTIFACTS_ENVIRONMENT)
        return E_STORE_UNAVAILABLE;
    health_mismatch_text(a->edge, text);
    return ask_refuse(a, E_ENVIRONMENT_MISMATCH, "%s", text);
}

static enum error_code check_host(struct ask *a)
{
    if (a->in->peer.is_loopback || artifacts_are_remote(a->edge->artifacts))
        return E_OK;
    return ask_refuse(a, a->who.role == ROTA__ROLE__WORKER ? E_WORKER_HOST : E_NOT_ALLOWED,
                      "objects can be reached from the broker's own host only");
}

/* The account's own id by its number, in the arena; NULL: none. */
static const char *account_name(struct ask *a, uint64_t account)
{
    struct key_buf k;
    struct account_row row;
    if (row_get(a->q.txn, &account_row_type, key_u64(&k, account), &row) != 0)
        return NULL;
    return arena_printf(a->q.arena, "%.*s", (int)row.id.n, (const char *)row.id.p);
}

static enum error_code job_row_of(struct ask *a, struct job_id job, struct job_row *ret_row)
{
    struct key_buf k;
    int r = row_get(a->q.txn, &job_row_type, key_id(&k, job), ret_row);
    if (r < 0)
        return E_STORE_FAULT;
    return r == STORE_MISSING ? E_JOB_UNKNOWN : E_OK;
}

/* ---- uploads ---- */

static enum error_code account_limits_of(struct ask *a, uint64_t account, struct limits *ret_limits)
{
    int r = limits_read_account(a->q.txn, account, a->q.wall_ms, ret_limits);
    if (r < 0)
        return E_STORE_FAULT;
    return r == STORE_MISSING ? E_ACCOUNT_UNKNOWN : E_OK;
}

static enum error_code check_source_size(struct ask *a, uint64_t account, uint64_t size)
{
    struct limits limits;
    enum error_code e = account_limits_of(a, account, &limits);
    if (e)
        return e;
    uint64_t most = settings_source_max(a->edge->settings, limits.source_bytes_max);
    if (size <= most)
        return E_OK;
    return ask_refuse(a, E_SOURCE_TOO_LARGE, "the source has %llu bytes, at most %llu",
                      (unsigned long long)size, (unsigned long long)most);
}

/* What an account keeps is bounded; the finish counts again, and counts what is there already once.
 */
static enum error_code check_storage(struct ask *a, uint64_t account, const Rota__SignUpload *sign)
{
    struct key_buf k;
    struct account_row row;
    struct object_row object;
    struct limits limits;
    uint64_t bytes = sign->bundle_bytes > sign->size ? sign->bundle_bytes : sign->size;
    enum error_code e = account_limits_of(a, account, &limits);
    if (e || sign->kind == ROTA__OBJECT_KIND__BUILD_LOG)
        return e; /* why a build failed can always be said */
    if (row_get(a->q.txn, &account_row_type, key_u64(&k, account), &row) != 0)
        return E_STORE_FAULT;
    int r = row_get(a->q.txn, &object_row_type,
                    key_object(&k, (uint8_t)sign->kind, account, sign->sha256.data), &object);
    if (r == 0 || row.storage_bytes + bytes <= limits.storage_bytes_max)
        return E_OK;
    return ask_refuse(a, E_STORAGE_QUOTA,
                      "it has %llu bytes; artifacts of the account take %llu of %llu already",
                      (unsigned long long)bytes, (unsigned long long)row.storage_bytes,
                      (unsigned long long)limits.storage_bytes_max);
}

/* A bundle and its assets count together. Each is announced alone, but with the size of both, so
 * that nothing of a build that is too large is uploaded; the finish counts again. */
static enum error_code check_bundle_size(struct ask *a, uint64_t account,
                                         const Rota__SignUpload *sign)
{
    struct limits limits;
    uint64_t bytes = sign->bundle_bytes > sign->size ? sign->bundle_bytes : sign->size;
    enum error_code e = account_limits_of(a, account, &limits);
    if (e || bytes <= limits.bundle_bytes_max)
        return e;
    return ask_refuse(a, E_BUNDLE_TOO_LARGE, "bundle and assets have %llu bytes, at most %llu",
                      (unsigned long long)bytes, (unsigned long long)limits.bundle_bytes_max);
}

static enum error_code check_artifact_size(struct ask *a, uint64_t account,
                                           const Rota__SignUpload *sign)
{
    uint64_t most = size_max[sign->kind];
    if (!most)
        return check_bundle_size(a, account, sign);
    if (sign->size <= most)
        return E_OK;
    return ask_refuse(a, E_OBJECT_TOO_LARGE, "the %s has %llu bytes, at most %llu",
                      artifact_class(sign->kind), (unsigned long long)sign->size,
                      (unsigned long long)most);
}

/* A source: the account is the authority. */
static enum error_code upload_by_account(struct ask *a, const Rota__SignUpload *sign,
                                         struct artifact_id *id)
{
    uint64_t account;
    if (sign->kind != ROTA__OBJECT_KIND__SOURCE || a->who.role == ROTA__ROLE__WORKER)
        return ask_refuse(a, E_FIELD_MISSING, "without a lease only a source can be uploaded");
    enum error_code e = auth_account(a->q.txn, &a->who, sign->account, &account);
    if (e)
        return e;
    id->account = account_name(a, account);
    return id->account ? check_source_size(a, account, sign->size) : E_ACCOUNT_UNKNOWN;
}

/* What a build made: the lease is the authority. */
static enum error_code upload_by_lease(struct ask *a, const Rota__SignUpload *sign,
                                       struct artifact_id *id)
{
    struct board_lease lease;
    struct job_row row;
    enum error_code e = ask_lease(a, sign->lease, &lease);
    if (e)
        return e;
    if (lease.cancelling)
        return E_CANCELLED;
    if (!artifact_class(sign->kind) || sign->kind == ROTA__OBJECT_KIND__SOURCE)
        return ask_refuse(a, E_FIELD_INVALID, "sign_upload.kind: %d is nothing that a build makes",
                          (int)sign->kind);
    e = job_row_of(a, lease.job, &row);
    if (e)
        return e;
    id->account = account_name(a, row.account);
    if (!id->account)
        return E_ACCOUNT_UNKNOWN;
    e = check_artifact_size(a, row.account, sign);
    return e ? e : check_storage(a, row.account, sign);
}

static enum error_code upload_invite(struct ask *a, const struct artifact_id *id, uint64_t size)
{
    char url[ARTIFACT_URL_MAX];
    Rota__SignResult *result = arena_alloc(a->q.arena, sizeof *result);
    if (!result)
        return E_MEMORY;
    int r = artifacts_invite(a->edge->artifacts, id, size, a->q.wall_ms, url);
    if (r == ARTIFACTS_AWAY || r == ARTIFACTS_ENVIRONMENT)
        return ask_store(a, r);
    if (r == ARTIFACTS_TOO_MANY)
        return ask_refuse(a, E_OVERLOADED, "%d uploads are waiting", INCOMING_MAX);
    if (r == ARTIFACTS_FULL)
        return ask_refuse(a, E_UPLOAD_FAILED,
                          "the disk of the artifact store is full: no room for %llu bytes",
                          (unsigned long long)size);
    if (r < 0)
        return ask_fault(a, r, "no place for the upload could be made");
    rota__sign_result__init(result);
    result->url = arena_str(a->q.arena, url);
    if (!result->url)
        return E_MEMORY;
    result->expires_ms = a->q.wall_ms + INCOMING_AGE_MS_MAX;
    result->sha256 = a->q.request->sign_upload->sha256;
    result->size = size;
    a->q.reply->sign_upload = result;
    a->q.reply->result_case = ROTA__REPLY__RESULT_SIGN_UPLOAD;
    return E_OK;
}

enum error_code ask_sign_upload(struct ask *a)
{
    const Rota__SignUpload *sign = a->q.request->sign_upload;
    struct artifact_id id = {.kind = sign->kind};
    enum error_code e = check_host(a);
    if (e)
        return e;
    if (sign->sha256.len != sizeof id.sha256)
        return ask_refuse(a, E_FIELD_MISSING, "sign_upload.sha256 is empty");
    if (!sign->size)
        return ask_refuse(a, E_FIELD_INVALID, "sign_upload.size: an object has at least one byte");
    memcpy(id.sha256, sign->sha256.data, sizeof id.sha256);
    e = sign->lease ? upload_by_lease(a, sign, &id) : upload_by_account(a, sign, &id);
    return e ? e : upload_invite(a, &id, sign->size);
}

/* ---- downloads ---- */

/* Sources and source maps show the app's own code, the rest does not: the log is what log_read
 * gives to anybody who may read builds. */
static enum error_code check_scope(struct ask *a, Rota__ObjectKind kind)
{
    bool is_code = kind == ROTA__OBJECT_KIND__SOURCE || kind == ROTA__OBJECT_KIND__MAP;
    uint32_t scope = is_code ? SCOPE_SOURCEMAP_READ : SCOPE_BUILD_READ;
    char name[64];
    if (auth_has(&a->who, scope))
        return E_OK;
    return ask_refuse(a, E_SCOPE_MISSING, "a %s needs a key with scope %s", artifact_class(kind),
                      scopes_text(scope, name, sizeof name));
}

/* May the caller read this job's object? Its account may; a worker its source, while it holds the
 * lease. */
static enum error_code check_reader(struct ask *a, const Rota__SignDownload *sign,
                                    struct job_id job, struct job_row *ret_row)
{
    struct board_lease lease;
    enum error_code e = E_OK;
    if (a->who.role == ROTA__ROLE__WORKER || sign->lease) {
        e = ask_lease(a, sign->lease, &lease);
        if (e)
            return e;
        if (job_id_cmp(lease.job, job) != 0 || sign->kind != ROTA__OBJECT_KIND__SOURCE)
            return ask_refuse(a, E_NOT_ALLOWED, "a lease opens the source of its own job alone");
        return job_row_of(a, job, ret_row);
    }
    e = job_row_of(a, job, ret_row);
    if (e == E_OK && !auth_sees(&a->who, ret_row->account))
        e = E_JOB_UNKNOWN;
    if (e == E_OK)
        e = auth_app(&a->who, ret_row->app_name);
    return e == E_OK ? check_scope(a, sign->kind) : e;
}

/* The first of the kind, or the one of this name. */
static enum error_code artifact_of(struct ask *a, struct job_id job, Rota__ObjectKind kind,
                                   const char *name, const Rota__Artifact **ret_artifact)
{
    struct key_buf k;
    struct done_row done;
    int r = row_get(a->q.txn, &done_row_type, key_id(&k, job), &done);
    if (r < 0)
        return E_STORE_FAULT;
    Rota__Finish *finish =
        r == 0 && done.facts.n
            ? rota__finish__unpack(arena_allocator(a->q.arena), done.facts.n, done.facts.p)
            : NULL;
    for (size_t i = 0; finish && i < finish->n_artifact; i++) {
        if (finish->artifact[i]->kind == kind &&
            (!*name || strcmp(finish->artifact[i]->name, name) == 0)) {
            *ret_artifact = finish->artifact[i];
            return E_OK;
        }
    }
    return E_OBJECT_MISSING;
}

static enum error_code download_id(struct ask *a, struct job_id job, const struct job_row *row,
                                   struct artifact_id *id, const char **ret_name)
{
    *ret_name = "source";
    id->account =
        arena_printf(a->q.arena, "%.*s", (int)row->account_id.n, (const char *)row->account_id.p);
    if (!id->account)
        return E_MEMORY;
    if (id->kind == ROTA__OBJECT_KIND__SOURCE) {
        struct source_ref source;
        if (source_ref_parse(row->source, &source) != 0 || source.kind != SOURCE_UPLOAD)
            return E_OBJECT_MISSING;
        memcpy(id->sha256, source.sha256, sizeof id->sha256);
        return E_OK;
    }
    const Rota__Artifact *artifact;
    enum error_code e = artifact_of(a, job, id->kind, a->q.request->sign_download->name, &artifact);
    if (e == E_OK && artifact->sha256.len == sizeof id->sha256) {
        memcpy(id->sha256, artifact->sha256.data, sizeof id->sha256);
        *ret_name = artifact->name;
    }
    return e;
}

/* Is it stored, and how large is it? ARTIFACTS_MISSING. */
static int object_find(struct ask *a, uint64_t account, const struct artifact_id *id,
                       uint64_t *ret_size)
{
    struct key_buf k;
    struct object_row row;
    int r = row_get(a->q.txn, &object_row_type,
                    key_object(&k, (uint8_t)id->kind, account, id->sha256), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : ARTIFACTS_MISSING;
    *ret_size = row.size;
    return artifacts_are_remote(a->edge->artifacts)
               ? 0
               : artifacts_find(a->edge->artifacts, id, ret_size);
}

static enum error_code download_grant(struct ask *a, uint64_t account, const struct artifact_id *id,
                                      const char *name)
{
    char url[ARTIFACT_URL_MAX];
    uint64_t size;
    Rota__SignResult *result = arena_alloc(a->q.arena, sizeof *result);
    uint8_t *sha256 = arena_alloc(a->q.arena, sizeof id->sha256);
    if (!result || !sha256)
        return E_MEMORY;
    int r = object_find(a, account, id, &size);
    if (r == ARTIFACTS_MISSING)
        return id->kind == ROTA__OBJECT_KIND__SOURCE ? E_SOURCE_GONE : E_OBJECT_MISSING;
    if (r < 0)
        return ask_fault(a, r, "the object could not be looked at");
    r = artifacts_url(a->edge->artifacts, id, a->q.wall_ms, url);
    if (r)
        return ask_store(a, r);
    rota__sign_result__init(result);
    memcpy(sha256, id->sha256, sizeof id->sha256);
    result->url = arena_str(a->q.arena, url);
    result->name = arena_str(a->q.arena, name);
    if (!result->url || !result->name)
        return E_MEMORY;
    result->expires_ms = a->q.wall_ms + INCOMING_AGE_MS_MAX;
    result->sha256 = (ProtobufCBinaryData){sizeof id->sha256, sha256};
    result->size = size;
    a->q.reply->sign_download = result;
    a->q.reply->result_case = ROTA__REPLY__RESULT_SIGN_DOWNLOAD;
    return E_OK;
}

enum error_code ask_sign_download(struct ask *a)
{
    const Rota__SignDownload *sign = a->q.request->sign_download;
    struct artifact_id id = {.kind = sign->kind};
    struct job_id job;
    struct job_row row = {0};
    const char *name;
    enum error_code e = check_host(a);
    if (e)
        return e;
    if (!artifact_class(sign->kind))
        return ask_refuse(a, E_FIELD_MISSING, "sign_download.kind is not set");
    if (job_id_parse(sign->job, &job) != 0)
        return E_JOB_ID_INVALID;
    e = check_reader(a, sign, job, &row);
    if (e == E_OK)
        e = download_id(a, job, &row, &id, &name);
    if (e == E_OK)
        e = download_grant(a, row.account, &id, name);
    return e == E_OK && sign->lease && sign->kind == ROTA__OBJECT_KIND__SOURCE
               ? ask_source_key(a, job, &row)
               : e;
}
