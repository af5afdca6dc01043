/* provenance.h: the in-toto statement about a build, with a SLSA v1 provenance in it: what came out
 * (subject), what it was asked for, from what and by what it was made, and by whom this is said.
 * docs/PROTOCOL.md shows one. Pure; any thread.
 *
 * Who, what and for whom comes from the job's own row; hashes, tools, commit and times are the
 * worker's statement, and the document says which is which. */
#pragma once

#include "rota.pb-c.h"
#include "store/rows.h"

#include <base/err.h>

enum { PROVENANCE_SPEC_MAX = 4096, PROVENANCE_WHY_MAX = 160 };

struct provenance {
    const char *environment, *key_id, *job;
    const struct job_row *row;
    const Rota__Attest *attest; /* with its facts */
};

enum provenance_outcome { PROVENANCE_FIELD = 1 };

/* The statement as compact JSON with sorted members; the caller frees it. PROVENANCE_FIELD: a fact
 * cannot be used; `why` names it. */
MUST_USE int provenance_text(const struct provenance *p, char **ret_text,
                             char why[PROVENANCE_WHY_MAX]);
