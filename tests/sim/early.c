/* early.c: for an engine that speaks before it commits (meson.build): what it says is heard at
 * once.
 */
#include "sim/early.h"

#include "sim/lives.h"
#include "sim/voice.h"
#include "sim/world.h"

void speak_early(void)
{
    struct world *w = (struct world *)(uintptr_t)life_present;
    if (!w)
        return;
    voice_speak(w);
    w->host.fx.replies = NULL;
    w->host.fx.replies_end = &w->host.fx.replies;
}
