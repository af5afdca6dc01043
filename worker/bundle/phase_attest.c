/* phase_attest.c: the signing key is the broker's; the agent states what it has hashed and what it
 * was made from, and the broker signs that for the holder of the lease. The envelope about the
 * whole build goes the way of all products. */
#include "call.h"
#include "product.h"

#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static const char envelope_name[] = "provenance.dsse.json";

static int envelope_upload(struct work *w, const char *envelope)
{
    product_add(w, ROTA__OBJECT_KIND__PROVENANCE, "", envelope_name);
    size_t i = w->products - 1;
    struct product *p = &w->product[i];
    p->fd = memfd_create(envelope_name, MFD_CLOEXEC);
    if (p->fd < 0)
        return err_raise(-errno);
    int r = write_all(p->fd, envelope, strlen(envelope));
    if (r < 0)
        return err_pass(r);
    r = product_hash(w, p);
    return r == 0 ? product_upload(w, i) : r;
}

int phase_attest(struct work *w)
{
    AUTO_FREE char *envelope = NULL;
    w->facts.finished_ms = clock_wall_ms();
    int r = call_attest(w, &w->result->artifact[0], &envelope);
    return r == 0 && envelope ? envelope_upload(w, envelope) : r;
}
