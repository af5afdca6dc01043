/* health.c: the states of artifacts.h in the words of the protocol. */
#include "edge/health.h"

#include "sched/breaker.h"

#include <stdio.h>

static const struct {
    const char *word, *error;
} states[] = {
    [ARTIFACTS_OK] = {"ok", ""},
    [ARTIFACTS_IS_AWAY] = {"away", "STORE_UNAVAILABLE"},
    [ARTIFACTS_REFUSED] = {"refused", "STORE_UNAVAILABLE"},
    [ARTIFACTS_UNREACHED] = {"unreached", "STORE_UNAVAILABLE"},
    [ARTIFACTS_FOREIGN] = {"foreign", "ENVIRONMENT_MISMATCH"},
};

void health_mismatch_text(struct edge *edge, char text[HEALTH_TEXT_MAX])
{
    struct artifacts_health h;
    artifacts_health(edge->artifacts, &h);
    snprintf(text, HEALTH_TEXT_MAX, "the artifact store: %s", h.why);
}

void health_fill(struct edge *edge, uint64_t wall_ms, struct query_health *ret_health)
{
    struct artifacts_health h;
    bool is_remote = artifacts_are_remote(edge->artifacts);
    artifacts_health(edge->artifacts, &h);
    *ret_health = (struct query_health){
        .kind = is_remote ? "bucket" : "folder",
        .state = states[h.state].word,
        .error = states[h.state].error,
        .breaker = is_remote ? breaker_word(h.breaker) : "",
        .faults = h.faults,
        .full_percent = artifacts_full_percent(edge->artifacts),
        .open_until_ms = h.open_ms ? wall_ms + h.open_ms : 0,
        .since_ms = h.since_ms,
        .store_is_full = atomic_load(&edge->store_is_full),
    };
    snprintf(ret_health->text, sizeof ret_health->text, "%s", h.why);
    if (ret_health->full_percent >= edge->settings->artifacts_full_percent)
        ret_health->state = "full";
}
