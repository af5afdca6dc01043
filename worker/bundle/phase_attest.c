/* phase_attest.c: the signing key is the broker's; the agent states what it has hashed, and the
 * broker signs that for the holder of the lease. */
#include "call.h"

int phase_attest(struct work *w)
{
    return call_attest(w, &w->result->artifact[0]);
}
