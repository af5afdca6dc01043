/* call.h: what a build asks the broker: where its source is, to keep which commit it is, where a
 * product may go, and whether it signs what was built. Blocks; retries are the client's.
 *
 * All return 0; WORK_ENDED with the result filled in when the broker refused or is away; or a
 * fault. */
#pragma once

#include "work.h"

#include <base/auto.h>

static inline Rota__Reply *call_reply_free(Rota__Reply *reply)
{
    return reply ? rota_reply_free(reply) : NULL;
}
static inline void call_reply_freep(Rota__Reply **reply)
{
    *reply = call_reply_free(*reply);
}
#define AUTO_REPLY __attribute__((cleanup(call_reply_freep))) Rota__Reply

/* *ret_reply owns the answer that *ret_sign points into. */
MUST_USE int call_sign_download(struct work *w, Rota__Reply **ret_reply,
                                const Rota__SignResult **ret_sign);
/* All attempts of the job build this commit from now on. */
MUST_USE int call_source_pin(struct work *w, const char *commit);
MUST_USE int call_sign_upload(struct work *w, const struct build_artifact *a,
                              Rota__Reply **ret_reply, const Rota__SignResult **ret_sign);
/* Puts the attestation into the result. *ret_envelope is the provenance, for the caller to free;
 * NULL from a broker of a time before there was any. */
MUST_USE int call_attest(struct work *w, const struct build_artifact *a, char **ret_envelope);
