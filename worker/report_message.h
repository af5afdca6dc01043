/* report_message.h: a build's result as the message that reports it. Pure; borrows from the result.
 */
#pragma once

#include "runner.h"

/* Zeroed before it is filled. */
struct finish_message {
    Rota__Finish finish;
    Rota__Error error;
    Rota__Artifact artifact[BUILD_ARTIFACTS_MAX], *artifacts[BUILD_ARTIFACTS_MAX];
    Rota__PhaseTime phase[BUILD_PHASES_MAX], *phases[BUILD_PHASES_MAX];
    Rota__Attestation attestation;
};

void finish_fill(Rota__LeaseRef *lease, const struct build_result *r, Rota__Outcome outcome,
                 struct finish_message *m);

/* The result's error with the catalogue's words where it has none of its own. */
void result_error(const struct build_result *r, Rota__Error *ret_error);
