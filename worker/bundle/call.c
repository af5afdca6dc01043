/* call.c: builds the requests and turns a refusal into the build's end. A lost lease or a cancel
 * ends it silently: the agent knows already or will hear it in its next heartbeat. */
#include "call.h"

#include "facts_message.h"

#include <assert.h>
#include <dsse.h>
#include <errno.h>
#include <string.h>

static int refused(struct work *w, const Rota__Error *e)
{
    enum error_code code = error_by_name(e->name);
    if (code == E_LEASE_LOST || code == E_CANCELLED) {
        w->result->outcome = BUILD_STOPPED;
        return WORK_ENDED;
    }
    build_fail(w->result, code ? code : E_UNAVAILABLE, "%s", e->text);
    /* A broker that is away or mistrusts this worker's key is not the app's fault. */
    if (code == E_OK || error_row(code)->retryable || error_row(code)->class == ERROR_AUTH)
        w->result->outcome = BUILD_FAULT;
    return WORK_ENDED;
}

static int answer_check(struct work *w, const Rota__Reply *reply, Rota__Reply__ResultCase want)
{
    if (reply->error)
        return refused(w, reply->error);
    return reply->result_case == want ? 0 : err_raise(-EPROTO);
}

static int call(struct work *w, Rota__Request *request, Rota__Reply__ResultCase want,
                Rota__Reply **ret_reply)
{
    AUTO_REPLY *reply = NULL;
    int r = rota_call(w->build->client, request, 0, &reply);
    if (r < 0)
        return err_pass(r);
    r = answer_check(w, reply, want);
    if (r == 0)
        *ret_reply = TAKE(reply);
    return r;
}

int call_sign_download(struct work *w, Rota__Reply **ret_reply, const Rota__SignResult **ret_sign)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__SignDownload ask = ROTA__SIGN_DOWNLOAD__INIT;
    ask.job = (char *)w->build->job;
    ask.kind = ROTA__OBJECT_KIND__SOURCE;
    ask.lease = w->build->lease;
    request.op_case = ROTA__REQUEST__OP_SIGN_DOWNLOAD;
    request.sign_download = &ask;
    int r = call(w, &request, ROTA__REPLY__RESULT_SIGN_DOWNLOAD, ret_reply);
    if (r == 0)
        *ret_sign = (*ret_reply)->sign_download;
    return r;
}

int call_source_pin(struct work *w, const char *commit)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__SourcePin ask = ROTA__SOURCE_PIN__INIT;
    AUTO_REPLY *reply = NULL;
    ask.lease = w->build->lease;
    ask.commit = (char *)commit;
    request.op_case = ROTA__REQUEST__OP_SOURCE_PIN;
    request.source_pin = &ask;
    int r = rota_call(w->build->client, &request, 0, &reply);
    if (r < 0)
        return err_pass(r);
    if (reply->error && (strcmp(reply->error->name, "FIELD_UNKNOWN") == 0 ||
                         strcmp(reply->error->name, "OPERATION_UNKNOWN") == 0))
        return 0; /* an older broker: each attempt builds what the ref is then */
    return answer_check(w, reply, ROTA__REPLY__RESULT_SOURCE_PIN);
}

/* A bundle and its assets count together, and the broker refuses before the first is uploaded. */
static uint64_t bundle_bytes(const struct build_result *r)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < r->artifacts; i++)
        if (r->artifact[i].kind == ROTA__OBJECT_KIND__BUNDLE ||
            r->artifact[i].kind == ROTA__OBJECT_KIND__ASSETS)
            bytes += r->artifact[i].size;
    return bytes;
}

int call_sign_upload(struct work *w, const struct build_artifact *a, Rota__Reply **ret_reply,
                     const Rota__SignResult **ret_sign)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__SignUpload ask = ROTA__SIGN_UPLOAD__INIT;
    ask.lease = w->build->lease;
    ask.kind = a->kind;
    ask.sha256 = (ProtobufCBinaryData){.data = (uint8_t *)a->sha256, .len = sizeof a->sha256};
    ask.size = a->size;
    if (a->kind == ROTA__OBJECT_KIND__BUNDLE || a->kind == ROTA__OBJECT_KIND__ASSETS)
        ask.bundle_bytes = bundle_bytes(w->result);
    request.op_case = ROTA__REQUEST__OP_SIGN_UPLOAD;
    request.sign_upload = &ask;
    int r = call(w, &request, ROTA__REPLY__RESULT_SIGN_UPLOAD, ret_reply);
    if (r == 0)
        *ret_sign = (*ret_reply)->sign_upload;
    return r;
}

static int attestation_take(struct build_result *r, const Rota__Attestation *a)
{
    if (!a || strlen(a->statement) >= sizeof r->statement ||
        a->signature.len != sizeof r->signature || strlen(a->key_id) >= sizeof r->key_id)
        return err_raise(-EPROTO);
    memcpy(r->statement, a->statement, strlen(a->statement) + 1);
    memcpy(r->signature, a->signature.data, sizeof r->signature);
    memcpy(r->key_id, a->key_id, strlen(a->key_id) + 1);
    r->is_attested = true;
    return 0;
}

static void artifact_fill(const struct build_artifact *a, Rota__Artifact *ret)
{
    rota__artifact__init(ret);
    ret->kind = a->kind;
    ret->sha256 = (ProtobufCBinaryData){.data = (uint8_t *)a->sha256, .len = sizeof a->sha256};
    ret->blake2b = (ProtobufCBinaryData){.data = (uint8_t *)a->blake2b, .len = sizeof a->blake2b};
    ret->size = a->size;
    ret->name = (char *)a->name;
}

/* The question, with what it points into. */
struct attest_message {
    Rota__Attest ask;
    Rota__Artifact artifact, assets, *other[1];
    struct facts_message facts;
};

static void attest_fill(struct work *w, const struct build_artifact *a, struct attest_message *m)
{
    const struct build_result *r = w->result;
    rota__attest__init(&m->ask);
    artifact_fill(a, &m->artifact);
    facts_fill(&w->facts, &m->facts);
    m->ask.lease = w->build->lease;
    m->ask.artifact = &m->artifact;
    m->ask.facts = &m->facts.facts;
    m->other[0] = &m->assets;
    m->ask.other = m->other;
    for (size_t i = 0; i < r->artifacts && !m->ask.n_other; i++)
        if (r->artifact[i].kind == ROTA__OBJECT_KIND__ASSETS) {
            artifact_fill(&r->artifact[i], &m->assets);
            m->ask.n_other = 1;
        }
}

static int envelope_take(const Rota__AttestResult *answer, char **ret_envelope)
{
    size_t n = strlen(answer->provenance);
    *ret_envelope = NULL;
    if (n > DSSE_TEXT_MAX)
        return err_raise(-EPROTO);
    if (n && !(*ret_envelope = strdup(answer->provenance)))
        return err_raise(-ENOMEM);
    return 0;
}

int call_attest(struct work *w, const struct build_artifact *a, char **ret_envelope)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    struct attest_message m;
    AUTO_REPLY *reply = NULL;
    attest_fill(w, a, &m);
    request.op_case = ROTA__REQUEST__OP_ATTEST;
    request.attest = &m.ask;
    int r = rota_call(w->build->client, &request, 0, &reply);
    if (r < 0)
        return err_pass(r);
    if (reply->error && strcmp(reply->error->name, "FIELD_UNKNOWN") == 0) {
        m.ask.facts = NULL; /* an older broker: the statement alone */
        m.ask.n_other = 0;
        reply = call_reply_free(reply);
        r = call(w, &request, ROTA__REPLY__RESULT_ATTEST, &reply);
    } else {
        r = answer_check(w, reply, ROTA__REPLY__RESULT_ATTEST);
    }
    if (r != 0)
        return r;
    assert(reply && reply->attest);
    r = attestation_take(w->result, reply->attest->attestation);
    return r < 0 ? err_pass(r) : envelope_take(reply->attest, ret_envelope);
}
