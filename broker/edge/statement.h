/* statement.h: what this broker signs about an artifact of a job. Any thread. */
#pragma once

#include "edge/edge.h"
#include "store/rows.h"

/* The canonical text that says who built what; as statement_text(). SIGN_STATEMENT: something is
 * missing. */
MUST_USE int statement_of(const struct edge *edge, struct job_id job, const struct job_row *row,
                          const Rota__Artifact *artifact, char text[STATEMENT_LEN_MAX]);
