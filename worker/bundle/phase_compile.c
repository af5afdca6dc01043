/* phase_compile.c: the app's own hermesc, whose bytecode version is the one its React Native reads.
 */
#include "bytecode.h"
#include "product.h"

int phase_compile(struct work *w)
{
    if (bytecode_find(w) == 0)
        return 0;
    int r = work_step(w, STEP_COMPILE, -1);
    if (r != 0)
        return r;
    work_say(w, "bytecode: %llu bytes", (unsigned long long)product_bytes(w, w->bytecode_name));
    bytecode_keep(w);
    return 0;
}
