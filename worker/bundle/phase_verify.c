/* phase_verify.c: package.json and lockfile are judged before npm gets to see anything. */
#include "work.h"

int phase_verify(struct work *w)
{
    int r = work_step(w, STEP_VERIFY, -1);
    if (r == 0) {
        w->packages = w->feedback.packages;
        work_say(w, "lockfile: %llu packages, each from a registry and with integrity",
                 (unsigned long long)w->packages);
    }
    return r;
}
