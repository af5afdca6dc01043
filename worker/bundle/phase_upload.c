/* phase_upload.c: each product gets a place from the broker, which knows the lease and the
 * account's limits, and is carried there. */
#include "product.h"

#include <string.h>

int phase_upload(struct work *w)
{
    for (size_t i = 0; i < w->products; i++) {
        int r = work_go_on(w);
        if (r == 0)
            r = product_upload(w, i);
        if (r != 0)
            return r;
        work_share(w, (double)(i + 1) / (double)w->products, w->result->artifact[i].name);
    }
    return 0;
}

/* A failed build's only product. What the result says about the failure stays, whatever happens
 * here. */
void log_keep(struct work *w)
{
    struct build_result kept = *w->result;
    products_close(w);
    w->result->artifacts = 0;
    int r = product_log(w);
    if (r == 0)
        r = product_upload(w, 0);
    struct build_artifact log = w->result->artifact[0];
    *w->result = kept;
    w->result->artifacts = r == 0;
    w->result->artifact[0] = log;
}
