/* statement.h: what this broker signs about an artifact of a job. Any thread. */
#pragma once

#include "rota.pb-c.h"
#include "sign.h"
#include "store/rows.h"

/* Whose artifact it is. */
struct attested {
    const char *environment;
    struct job_id job;
    const struct job_row *row;
};

/* The canonical text that says who built what, signed by the key of this id; as statement_text().
 * SIGN_STATEMENT: something is missing. */
MUST_USE int statement_of(const struct attested *whose, const Rota__Artifact *artifact,
                          const char *key_id, char text[STATEMENT_LEN_MAX]);
