/* phase_bundle.c: Metro. Its driver also finds hermesc and the map composer among the app's
 * modules. */
#include "layer.h"
#include "modules.h"
#include "product.h"
#include "standby.h"

#include <base/auto.h>
#include <string.h>

static void tools_note(struct work *w)
{
    const struct feedback *f = &w->feedback;
    const char *const tools[][2] = {{"node", work_node(w)->text},
                                    {"react-native", f->react_native},
                                    {"metro", f->metro},
                                    {"hermesc", f->hermesc_version}};
    for (size_t i = 0; i < ARRAY_LEN(tools); i++)
        if (facts_tool_add(&w->facts, tools[i][0], tools[i][1], NULL) == FACTS_FULL)
            work_say(w, "%s is not named in the provenance: it names too many tools", tools[i][0]);
    work_say(w, "react-native %s, metro %s, hermesc %s, node %s", f->react_native, f->metro,
             f->hermesc_version, work_node(w)->text);
}

/* Metro's driver named it, or the app's own code did beside it: what runs next must be out of the
 * packages, which nobody wrote to since they were installed. */
static bool is_installed(const struct work *w, const char *path)
{
    AUTO_FD fd = -1;
    return path[0] && modules_open(w, path, &fd) == 0;
}

int phase_bundle(struct work *w)
{
    if (!w->standby)
        layer_find(w);
    layer_say(w);
    int r = standby_waits(w) ? standby_bundle(w) : work_step(w, STEP_BUNDLE, -1);
    if (r != 0)
        return r;
    if (!is_installed(w, w->feedback.hermesc) || !is_installed(w, w->feedback.compose)) {
        build_fail(w->result, E_HERMES_MISSING, NULL);
        return WORK_ENDED;
    }
    memcpy(w->hermesc, w->feedback.hermesc, sizeof w->hermesc);
    memcpy(w->compose, w->feedback.compose, sizeof w->compose);
    w->modules = w->feedback.modules;
    tools_note(w);
    work_say(w, "bundle: %llu bytes, %llu modules, %llu assets",
             (unsigned long long)product_bytes(w, w->bundle_name), (unsigned long long)w->modules,
             (unsigned long long)w->feedback.assets);
    layer_keep(w);
    return 0;
}
