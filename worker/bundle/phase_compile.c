/* phase_compile.c: the app's own hermesc, whose bytecode version is the one its React Native reads.
 */
#include "work.h"

int phase_compile(struct work *w)
{
    return work_step(w, STEP_COMPILE, -1);
}
