/* node_choice.c: a wish that nobody can read is refused when the job says it; in package.json,
 * where npm itself only warns, it is left out with a word in the log. A wish that this worker
 * cannot meet is its fault and not the app's: it knows of no other worker, and another may have
 * that Node.
 */
#include "node_choice.h"

static int refuse(struct work *w, const char *whose, const char *range)
{
    char there[NODES_TEXT_MAX];
    nodes_text(&w->setup->tools.nodes, there);
    build_fail(w->result, E_NODE_UNAVAILABLE, "%s asks for Node %.200s; this worker has %s", whose,
               range, there);
    return WORK_ENDED;
}

int node_choose(struct work *w, const char *told)
{
    const char *range = *told ? told : w->feedback.engines;
    const char *whose = *told ? "the job" : "engines.node of package.json";
    if (!*range)
        return 0;
    int r = nodes_pick(&w->setup->tools.nodes, range, &w->node);
    if (r == NODES_NONE)
        return refuse(w, whose, range);
    if (r == NODES_UNREADABLE && *told) {
        build_fail(w->result, E_SPEC_INVALID, "`node` is no range of versions: %.200s", told);
        return WORK_ENDED;
    }
    if (r == NODES_UNREADABLE)
        work_say(w, "%s is no range of versions, and left out: %s", whose, range);
    else
        work_say(w, "Node %s, as %s asks for %s", work_node(w)->text, whose, range);
    return 0;
}
