/* vet_request.c: which objects a request names, and whether they are what it says.
 *
 * Sources: the account that publishes is the authority; the file that it uploaded must have the
 * hash that the publish names. Artifacts of a finish: the lease is the authority; size, SHA-256 and
 * BLAKE2b must be those of the finish, and the attestation must be ours, over exactly these facts.
 * Whatever is already stored was checked when it came, so a repeated request passes. Everything
 * that is no matter of objects (keys, leases, forms) is left to the turn, which says it in its own
 * order.                        */
#include "edge/health.h"
#include "edge/statement.h"
#include "edge/vet_impl.h"
#include "engine/account_limits.h"
#include "source_ref.h"

#include <base/clock.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One request at hand. */
struct vetting {
    struct vetter *by;
    struct vet *v;
    struct vetted *vetted;
    struct inbound *in;
    struct txn *txn;
    struct principal who;
};

__attribute__((format(printf, 3, 4))) static enum error_code
say(struct vetting *g, enum error_code code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(g->in->vetted_text, sizeof g->in->vetted_text, format, ap);
    va_end(ap);
    return code;
}

static enum error_code fault(struct vetting *g, int r, const char *what)
{
    char why[100], foreign[HEALTH_TEXT_MAX];
    if (r == ARTIFACTS_ENVIRONMENT) {
        health_mismatch_text(g->v->edge, foreign);
        return say(g, E_ENVIRONMENT_MISMATCH, "%s", foreign);
    }
    if (r == ARTIFACTS_AWAY)
        return say(g, E_STORE_UNAVAILABLE, "%s: the artifact store cannot be reached", what);
    return say(g, r == -ENOMEM ? E_MEMORY : E_UPLOAD_FAILED, "%s: %s", what,
               err_trace(why, sizeof why));
}

/* The answer to an earlier publish with this key is given again even when its source is long gone.
 */
static bool is_replay(struct vetting *g, const Rota__Publish *publish, uint64_t account)
{
    struct key_buf k;
    struct span value;
    if (!*publish->idempotency_key)
        return false;
    struct span key = key_idem(&k, span_str(publish->idempotency_key), account);
    return txn_get(g->txn, TABLE_IDEM, key, &value) == 0;
}

/* How large it is, and how large it may be, stands with the source: the turn says it in the words
 * of each publish. */
static enum error_code source_too_large(struct vetting *g, const struct source_seen *seen)
{
    return say(g, E_SOURCE_TOO_LARGE, SOURCE_TOO_LARGE_TEXT, (unsigned long long)seen->bytes,
               (unsigned long long)seen->bytes_max);
}

/* It came outside the time of its URL. */
static enum error_code url_time(struct vetting *g, int r, const char *class)
{
    if (r == ARTIFACTS_LATE)
        return say(g, E_URL_EXPIRED, "the %s came more than an hour after its URL was given",
                   class);
    return say(g, E_URL_AHEAD, "the URL of the %s was given more than %d minutes ahead of now",
               class, CLOCK_SKEW_MS_MAX / 60000);
}

static enum error_code source_take(struct vetting *g, const struct artifact_id *id,
                                   struct source_seen *seen)
{
    uint64_t size = 0;
    struct artifact_check check = {.size = UINT64_MAX, .size_max = seen->bytes_max};
    int r = vet_claim(g->v, g->vetted, id);
    object_enter(g->by, id);
    if (r == 0)
        r = artifacts_find(g->v->edge->artifacts, id, &size);
    if (r == ARTIFACTS_MISSING)
        r = artifacts_take(g->v->edge->artifacts, id, &check, &size);
    object_leave(g->by);
    if (r == ARTIFACTS_MISSING)
        return say(g, E_SOURCE_MISSING, "account %s has uploaded no such source", id->account);
    if (r == ARTIFACTS_MISMATCH)
        return say(g, E_SOURCE_MISSING, "what account %s uploaded has another hash", id->account);
    if (r == ARTIFACTS_LATE || r == ARTIFACTS_AHEAD)
        return url_time(g, r, "source");
    seen->bytes = size;
    if (r == ARTIFACTS_TOO_LARGE || (r == 0 && size > seen->bytes_max))
        return source_too_large(g, seen);
    return r ? fault(g, r, "the source could not be stored") : E_OK;
}

/* Does it begin like a sealed one? And when it does, is there room for its key? */
static enum error_code seal_look(struct vetting *g, const struct artifact_id *id, bool has_key,
                                 struct source_seen *seen)
{
    uint8_t begin[SEAL_MAGIC_LEN];
    size_t n = 0;
    int r = artifacts_read(g->v->edge->artifacts, id, 0, begin, sizeof begin, &n);
    seen->is_sealed = r == 0 && seal_begins(begin, n);
    if (r == ARTIFACTS_MISSING)
        return say(g, E_SOURCE_MISSING, "account %s has uploaded no such source", id->account);
    if (r != 0)
        return fault(g, r, "the source could not be read");
    if (!seen->is_sealed || !has_key)
        return E_OK;
    r = source_keys_reserve(g->v->edge->source_keys);
    seen->has_slot = r == 0;
    if (r == SOURCE_KEYS_FULL || r == -ENOSPC)
        return say(g, E_STORE_FULL, "there is no room for the key of another source");
    return r < 0 ? fault(g, r, "no room for the key of the source") : E_OK;
}

static enum error_code vet_source(struct vetting *g, const Rota__Publish *publish,
                                  struct source_seen *seen)
{
    struct key_buf k;
    struct account_row row;
    struct limits limits;
    uint64_t account;
    struct source_ref source;
    struct artifact_id id = {.kind = ROTA__OBJECT_KIND__SOURCE};
    if (source_ref_parse(span_str(publish->source), &source) != 0 || source.kind != SOURCE_UPLOAD ||
        auth_account(g->txn, &g->who, publish->account, &account) != E_OK ||
        is_replay(g, publish, account))
        return E_OK;
    int r = row_get(g->txn, &account_row_type, key_u64(&k, account), &row);
    char name[ACCOUNT_ID_MAX + 1] = {0};
    if (r || row.id.n > ACCOUNT_ID_MAX)
        return r < 0 ? E_STORE_FAULT : E_OK;
    memcpy(name, row.id.p, row.id.n);
    memcpy(id.sha256, source.sha256, sizeof id.sha256);
    id.account = name;
    if (limits_read_account(g->txn, account, clock_wall_ms(), &limits) != 0)
        return E_STORE_FAULT;
    seen->bytes_max = settings_source_max(g->v->edge->settings, limits.source_bytes_max);
    enum error_code e = source_take(g, &id, seen);
    return e ? e : seal_look(g, &id, publish->source_key.len > 0, seen);
}

static enum error_code sources_make(struct vetting *g, size_t n)
{
    g->in->sources = calloc(n ? n : 1, sizeof *g->in->sources);
    g->in->sources_n = g->in->sources ? n : 0;
    return g->in->sources ? E_OK : E_MEMORY;
}

static enum error_code vet_publish(struct vetting *g, const Rota__Request *request)
{
    enum error_code e = sources_make(g, 1);
    return e ? e : vet_source(g, request->publish, g->in->sources);
}

/* A bad source refuses its own job alone. */
static enum error_code vet_publish_many(struct vetting *g, const Rota__Request *request)
{
    const Rota__PublishMany *many = request->publish_many;
    enum error_code e = sources_make(g, many->n_publish);
    for (size_t i = 0; e == E_OK && i < many->n_publish; i++) {
        struct source_seen *seen = &g->in->sources[i];
        seen->code = vet_source(g, many->publish[i], seen);
    }
    return e;
}

/* The job of a finish, and whether the lease is the caller's at this moment. */
struct finishing {
    const Rota__Finish *finish;
    struct job_id job;
    struct job_row row;
    char account[ACCOUNT_ID_MAX + 1];
    bool has_lease;
};

static bool is_whole(const Rota__Artifact *a)
{
    return artifact_class(a->kind) && a->kind != ROTA__OBJECT_KIND__SOURCE && a->sha256.len == 32 &&
           a->blake2b.len == 32;
}

/* It is stored, as announced, or is now. ARTIFACTS_MISSING: it is not, and the lease is lost, too.
 */
static int artifact_have(struct vetting *g, const struct finishing *f, const struct artifact_id *id,
                         const struct artifact_check *check)
{
    uint64_t size;
    int r = vet_claim(g->v, g->vetted, id);
    object_enter(g->by, id);
    if (r == 0)
        r = artifacts_find(g->v->edge->artifacts, id, &size);
    if (r == 0 && size != check->size)
        r = ARTIFACTS_MISMATCH;
    if (r == ARTIFACTS_MISSING && f->has_lease)
        r = artifacts_take(g->v->edge->artifacts, id, check, &size);
    object_leave(g->by);
    return r;
}

static enum error_code vet_artifact(struct vetting *g, const struct finishing *f,
                                    const Rota__Artifact *a)
{
    if (!is_whole(a))
        return say(g, E_FIELD_INVALID, "finish.artifact: kind %d, or a hash is missing",
                   (int)a->kind);
    struct artifact_id id = {.kind = a->kind, .account = f->account};
    struct artifact_check check = {
        .size = a->size, .size_max = a->size, .blake2b = a->blake2b.data};
    memcpy(id.sha256, a->sha256.data, sizeof id.sha256);
    int r = artifact_have(g, f, &id, &check);
    if (r == ARTIFACTS_MISSING && !f->has_lease)
        return say(g, E_LEASE_LOST, "the lease of %s is no longer yours", f->finish->lease->job);
    const char *class = artifact_class(a->kind);
    if (r == ARTIFACTS_MISSING)
        return say(g, E_OBJECT_MISMATCH, "the %s was never uploaded", class);
    if (r == ARTIFACTS_MISMATCH)
        return say(g, E_OBJECT_MISMATCH, "the uploaded %s differs from what was announced", class);
    if (r == ARTIFACTS_LATE || r == ARTIFACTS_AHEAD)
        return url_time(g, r, class);
    return r ? fault(g, r, "an artifact could not be stored") : E_OK;
}

/* Does the finish itself say of one of its artifacts what the attestation says? */
static bool is_about_these(struct vetting *g, const struct finishing *f)
{
    const Rota__Attestation *att = f->finish->attestation;
    const struct attested whose = {g->v->edge->environment, f->job, &f->row};
    char text[STATEMENT_LEN_MAX];
    for (size_t i = 0; i < f->finish->n_artifact; i++)
        if (statement_of(&whose, f->finish->artifact[i], att->key_id, text) == 0 &&
            strcmp(text, att->statement) == 0)
            return true;
    return false;
}

/* Must be our signature, by the key in use or one before it: keys may change during a build. */
static enum error_code vet_attestation(struct vetting *g, const struct finishing *f)
{
    const Rota__Attestation *att = f->finish->attestation;
    uint8_t public[SIGN_PUBLIC_BYTES];
    if (!is_about_these(g, f))
        return say(g, E_STATEMENT_INVALID, "the attestation speaks of none of the artifacts");
    if (signer_public(g->v->edge->signer, att->key_id, public) != 0 ||
        att->signature.len != SIGN_BYTES ||
        sign_verify(public, att->statement, att->signature.data) != 0)
        return say(g, E_SIGNATURE_INVALID, "the attestation is not this broker's");
    return E_OK;
}

static bool finishing_init(struct vetting *g, const Rota__Finish *finish, struct finishing *f)
{
    struct key_buf k;
    struct board_lease lease;
    *f = (struct finishing){.finish = finish};
    if (!finish || !finish->lease || job_id_parse(finish->lease->job, &f->job) != 0 ||
        row_get(g->txn, &job_row_type, key_id(&k, f->job), &f->row) != 0 ||
        f->row.account_id.n > ACCOUNT_ID_MAX)
        return false;
    memcpy(f->account, f->row.account_id.p, f->row.account_id.n);
    f->has_lease = board_lease(g->v->edge->board, f->job, &lease) == 0 &&
                   lease.epoch == finish->lease->epoch && lease.token == finish->lease->token;
    return true;
}

static enum error_code vet_finish_of(struct vetting *g, const Rota__Finish *finish)
{
    struct finishing f;
    if (!finishing_init(g, finish, &f))
        return E_OK;
    enum error_code e = E_OK;
    for (size_t i = 0; e == E_OK && i < finish->n_artifact; i++)
        e = vet_artifact(g, &f, finish->artifact[i]);
    return e == E_OK && finish->attestation ? vet_attestation(g, &f) : e;
}

static enum error_code vet_finish(struct vetting *g, const Rota__Request *request)
{
    return vet_finish_of(g, request->finish);
}

static enum error_code vet_finish_and_lease(struct vetting *g, const Rota__Request *request)
{
    return vet_finish_of(g, request->finish_and_lease->finish);
}

/* A secret is sealed before the queue thread sees it stored. */
static enum error_code vet_var_set(struct vetting *g, const Rota__Request *request)
{
    const Rota__VarSet *q = request->var_set;
    struct app_secret whose = {.name = q->name};
    struct app_row app;
    struct key_buf k;
    if (auth_account(g->txn, &g->who, q->account, &whose.account) != E_OK ||
        row_get(g->txn, &app_row_type, key_named(&k, whose.account, span_str(q->app)), &app) != 0)
        return E_OK; /* the turn refuses it in its own words */
    whose.app = app.number;
    g->in->sealed = malloc(q->value.len + APP_SECRET_EXTRA);
    if (!g->in->sealed)
        return E_MEMORY;
    g->in->sealed_n = q->value.len + APP_SECRET_EXTRA;
    int r = app_keys_seal(g->v->edge->app_keys, &whose, span_of(q->value.data, q->value.len),
                          g->in->sealed);
    return r < 0 ? fault(g, r, "the secret could not be sealed") : E_OK;
}

static const struct {
    Rota__Request__OpCase op;
    enum error_code (*vet)(struct vetting *g, const Rota__Request *request);
} rows[] = {
    {ROTA__REQUEST__OP_PUBLISH, vet_publish},
    {ROTA__REQUEST__OP_PUBLISH_MANY, vet_publish_many},
    {ROTA__REQUEST__OP_FINISH, vet_finish},
    {ROTA__REQUEST__OP_VAR_SET, vet_var_set},
    {ROTA__REQUEST__OP_FINISH_AND_LEASE, vet_finish_and_lease},
};

static enum error_code vet_by_op(struct vetting *g, const Rota__Request *request)
{
    const struct op_row *op = op_row(request->op_case);
    struct auth_call call = {
        .request = request, .op = op, .wall_ms = clock_wall_ms(), .is_counted = true};
    if (!op || auth_check(g->v->edge->auth, g->txn, &call, &g->who) != E_OK)
        return E_OK; /* the turn refuses it in its own words */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].op == request->op_case)
            return rows[i].vet(g, request);
    return E_OK;
}

enum error_code vet_request(struct vetter *t, struct vetted *vetted, struct inbound *in)
{
    AUTO(txn) txn = NULL;
    struct vetting g = {.by = t, .v = t->v, .vetted = vetted, .in = in};
    arena_reset(t->arena);
    Rota__Request *request = rota__request__unpack(arena_allocator(t->arena), in->n, in->bytes);
    if (!request)
        return E_MEMORY;
    int r = store_snapshot(t->v->edge->store, &txn);
    if (r)
        return E_STORE_FAULT;
    g.txn = txn;
    return vet_by_op(&g, request);
}
