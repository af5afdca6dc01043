/* phase_bundle.c: Metro. Its driver also finds hermesc and the map composer among the app's
 * modules. */
#include "product.h"

#include <string.h>

int phase_bundle(struct work *w)
{
    int r = work_step(w, STEP_BUNDLE, -1);
    if (r != 0)
        return r;
    if (!w->feedback.hermesc[0] || !w->feedback.compose[0]) {
        build_fail(w->result, E_HERMES_MISSING, NULL);
        return WORK_ENDED;
    }
    memcpy(w->hermesc, w->feedback.hermesc, sizeof w->hermesc);
    memcpy(w->compose, w->feedback.compose, sizeof w->compose);
    w->modules = w->feedback.modules;
    work_say(w, "bundle: %llu bytes, %llu modules, %llu assets",
             (unsigned long long)product_bytes(w, w->bundle_name), (unsigned long long)w->modules,
             (unsigned long long)w->feedback.assets);
    return 0;
}
