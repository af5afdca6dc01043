/* phase_compile.c: the app's own hermesc, whose bytecode version is the one its React Native reads.
 * The composer begins beside it: it has Metro's map to read meanwhile. */
#include "bytecode.h"
#include "product.h"

int phase_compile(struct work *w)
{
    int r = work_begin(w, STEP_COMPOSE, &w->composer);
    if (r < 0)
        return err_pass(r);
    if (bytecode_find(w) == 0)
        return 0;
    r = work_step(w, STEP_COMPILE, -1);
    if (r != 0)
        return r;
    work_say(w, "bytecode: %llu bytes", (unsigned long long)product_bytes(w, w->bytecode_name));
    bytecode_keep(w);
    return 0;
}
