/* phase_map.c: Metro's map (source to bundle) and Hermes' map (bundle to bytecode) become one; then
 * the assets are packed. */
#include "work.h"

int phase_map(struct work *w)
{
    int r = work_step(w, STEP_COMPOSE, -1);
    return r == 0 ? work_step(w, STEP_PACK, -1) : r;
}
