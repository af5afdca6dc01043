/* phase_map.c: Metro's map (source to bundle) and Hermes' map (bundle to bytecode) become one; then
 * the assets are packed. */
#include "work.h"

#include <stdio.h>

/* Hermes' map is the last that the composer waits for. */
static int compose(struct work *w)
{
    char path[WORK_FILE_MAX];
    AUTO_FD map = -1;
    snprintf(path, sizeof path, "out/%s.map", w->bytecode_name);
    int r = space_open_file(w->space, path, &map);
    if (r < 0) {
        build_fail(w->result, E_COMPILE_FAILED, "hermesc made no map that can be read");
        return WORK_ENDED;
    }
    return work_finish(w, STEP_COMPOSE, w->composer, map);
}

int phase_map(struct work *w)
{
    int r = compose(w);
    return r == 0 ? work_step(w, STEP_PACK, -1) : r;
}
