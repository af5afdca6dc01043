/* phase_install.c: npm ci in a folder of its own, then one rename brings node_modules to the app.
 */
#include "work.h"

int phase_install(struct work *w)
{
    w->fetched = 0;
    int r = work_step(w, STEP_INSTALL, -1);
    return r == 0 ? work_step(w, STEP_SETTLE, -1) : r;
}
