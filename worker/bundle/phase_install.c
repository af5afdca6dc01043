/* phase_install.c: an install in a folder of its own, unless the cache has what it would give. */
#include "modules.h"
#include "standby.h"

int phase_install(struct work *w)
{
    w->fetched = 0;
    int r = standby_meets(w);
    if (r == MODULES_MISS)
        r = modules_find(w);
    if (r != MODULES_MISS)
        return r < 0 ? err_pass(r) : r;
    r = work_step(w, w->manager->step, -1);
    if (r == 0)
        r = modules_begin(w);
    if (r == 0)
        r = work_step(w, STEP_SETTLE, -1);
    return r == 0 ? modules_settled(w) : r;
}
