/* ask_attest.c: the holder of a lease states what it has built, and the broker signs: a statement
 * about one artifact and, when facts came with it, the provenance of the build in an envelope. Both
 * are signed by one copy of the key, so that a rotation cannot come between them. */
#include "edge/ask.h"
#include "edge/provenance.h"
#include "edge/statement.h"
#include "store/keys.h"

#include <base/arena.h>
#include <dsse.h>
#include <stdlib.h>

struct attesting {
    struct ask *a;
    const Rota__Attest *attest;
    struct job_id job;
    struct job_row row;
    struct sign_pair key;
};

static enum error_code attestation_put(struct attesting *t, const char *text)
{
    struct arena *arena = t->a->q.arena;
    Rota__AttestResult *result = arena_alloc(arena, sizeof *result);
    Rota__Attestation *att = arena_alloc(arena, sizeof *att);
    uint8_t *signature = arena_alloc(arena, SIGN_BYTES);
    if (!result || !att || !signature)
        return E_MEMORY;
    rota__attest_result__init(result);
    rota__attestation__init(att);
    sign_statement(t->key.secret, text, signature);
    att->statement = arena_str(arena, text);
    att->key_id = arena_str(arena, t->key.id);
    if (!att->statement || !att->key_id)
        return E_MEMORY;
    att->signature = (ProtobufCBinaryData){SIGN_BYTES, signature};
    result->attestation = att;
    t->a->q.reply->attest = result;
    t->a->q.reply->result_case = ROTA__REPLY__RESULT_ATTEST;
    return E_OK;
}

static enum error_code statement_put(struct attesting *t)
{
    const struct attested whose = {t->a->edge->environment, t->job, &t->row};
    char text[STATEMENT_LEN_MAX];
    if (!t->attest->artifact || statement_of(&whose, t->attest->artifact, t->key.id, text) != 0)
        return ask_refuse(t->a, E_FIELD_MISSING,
                          "attest.artifact needs kind, size and both hashes");
    return attestation_put(t, text);
}

static enum error_code envelope_put(struct attesting *t, const char *payload)
{
    char *envelope = arena_alloc(t->a->q.arena, DSSE_TEXT_MAX + 1);
    if (!envelope)
        return E_MEMORY;
    if (dsse_sign(t->key.secret, DSSE_TYPE_INTOTO, payload, strlen(payload), envelope) != 0)
        return ask_refuse(t->a, E_FIELD_TOO_LONG,
                          "attest: the provenance has %zu bytes, at most %d", strlen(payload),
                          DSSE_PAYLOAD_MAX);
    t->a->q.reply->attest->provenance = envelope;
    return E_OK;
}

static enum error_code provenance_put(struct attesting *t)
{
    char id[JOB_ID_TEXT_LEN + 1], why[PROVENANCE_WHY_MAX];
    AUTO_FREE char *payload = NULL;
    const struct provenance p = {.environment = t->a->edge->environment,
                                 .key_id = t->key.id,
                                 .job = job_id_text(t->job, id),
                                 .row = &t->row,
                                 .attest = t->attest};
    int r = provenance_text(&p, &payload, why);
    if (r == PROVENANCE_FIELD)
        return ask_refuse(t->a, E_FIELD_INVALID, "%s", why);
    return r < 0 ? E_MEMORY : envelope_put(t, payload);
}

static enum error_code job_find(struct attesting *t)
{
    struct board_lease lease = {0};
    struct key_buf k;
    enum error_code e = ask_lease(t->a, t->attest->lease, &lease);
    if (e)
        return e;
    if (lease.cancelling)
        return E_CANCELLED;
    t->job = lease.job;
    int r = row_get(t->a->q.txn, &job_row_type, key_id(&k, lease.job), &t->row);
    if (r < 0)
        return E_STORE_FAULT;
    return r == STORE_MISSING ? E_JOB_UNKNOWN : E_OK;
}

enum error_code ask_attest(struct ask *a)
{
    struct attesting t = {.a = a, .attest = a->q.request->attest};
    enum error_code e = job_find(&t);
    if (e)
        return e;
    signer_take(a->edge->signer, &t.key);
    e = statement_put(&t);
    if (e == E_OK && t.attest->facts)
        e = provenance_put(&t);
    sign_pair_wipe(&t.key);
    return e;
}
