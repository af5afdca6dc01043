/* report_message.c: bundle and attestation belong to a success, an error to anything else; the log
 * and the phases' times are told either way. */
#include "report_message.h"

void result_error(const struct build_result *r, Rota__Error *ret_error)
{
    error_fill(r->error, r->text[0] ? r->text : NULL, ret_error);
    if (r->hint[0])
        ret_error->hint = (char *)r->hint;
}

static void artifact_add(const struct build_artifact *from, struct finish_message *m)
{
    size_t i = m->finish.n_artifact++;
    rota__artifact__init(&m->artifact[i]);
    m->artifact[i].kind = from->kind;
    m->artifact[i].sha256 = (ProtobufCBinaryData){32, (uint8_t *)from->sha256};
    m->artifact[i].blake2b = (ProtobufCBinaryData){32, (uint8_t *)from->blake2b};
    m->artifact[i].size = from->size;
    m->artifact[i].name = (char *)from->name;
    m->artifacts[i] = &m->artifact[i];
}

static void artifacts_fill(const struct build_result *r, bool is_success, struct finish_message *m)
{
    m->finish.artifact = m->artifacts;
    for (size_t i = 0; i < r->artifacts; i++)
        if (is_success || r->artifact[i].kind == ROTA__OBJECT_KIND__BUILD_LOG)
            artifact_add(&r->artifact[i], m);
}

static void phases_fill(const struct build_result *r, struct finish_message *m)
{
    for (size_t i = 0; i < r->phases; i++) {
        rota__phase_time__init(&m->phase[i]);
        m->phase[i].phase = (char *)r->phase[i].name;
        m->phase[i].ms = r->phase[i].ms;
        m->phases[i] = &m->phase[i];
    }
    m->finish.phase_time = m->phases;
    m->finish.n_phase_time = r->phases;
}

static void attestation_fill(const struct build_result *r, struct finish_message *m)
{
    rota__attestation__init(&m->attestation);
    m->attestation.statement = (char *)r->statement;
    m->attestation.signature = (ProtobufCBinaryData){SIGN_BYTES, (uint8_t *)r->signature};
    m->attestation.key_id = (char *)r->key_id;
    m->finish.attestation = &m->attestation;
}

void finish_fill(Rota__LeaseRef *lease, const struct build_result *r, Rota__Outcome outcome,
                 struct finish_message *m)
{
    rota__finish__init(&m->finish);
    m->finish.lease = lease;
    m->finish.outcome = outcome;
    phases_fill(r, m);
    artifacts_fill(r, outcome == ROTA__OUTCOME__OUTCOME_SUCCEEDED, m);
    if (outcome == ROTA__OUTCOME__OUTCOME_SUCCEEDED) {
        if (r->is_attested)
            attestation_fill(r, m);
        return;
    }
    result_error(r, &m->error);
    m->finish.error = &m->error;
}
