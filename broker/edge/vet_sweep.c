/* vet_sweep.c: objects that go, on the artifact threads; the sweep on the first of them.
 *
 * One that a commit gave up is deleted from the store first and its row in `going` after that, by
 * the turn: whatever dies in between, the row asks again. Objects without any row (an upload that
 * was never named, a commit that never came) are found by going through everything that is stored.
 */
#include "edge/vet_impl.h"

#include <base/clock.h>
#include <base/log.h>
#include <stdio.h>
#include <string.h>

enum {
    SWEEP_MS = 3600000,
    SWEEP_FIRST_MS = 5000,
    LOOK_MS = 60000, /* at how full the disk is */
    SETTLED_MAX = 64,
};

/* Does a job refer to the object? A fault counts as yes: never delete in doubt. */
static bool object_is_held(struct vet *v, const struct artifact_id *id)
{
    AUTO(txn) txn = NULL;
    struct key_buf k;
    struct account_id_row account;
    struct object_row object = {0};
    int r = store_snapshot(v->edge->store, &txn);
    if (r == 0)
        r = row_get(txn, &account_id_row_type, span_str(id->account), &account);
    if (r == 0)
        r = row_get(txn, &object_row_type,
                    key_object(&k, (uint8_t)id->kind, account.account, id->sha256), &object);
    return r < 0 || (r == 0 && object.jobs > 0);
}

static bool object_is_claimed(struct vet *v, const struct artifact_id *id)
{
    struct claim_key key = claim_key_of(id);
    pthread_mutex_lock(&v->lock);
    bool is_claimed = claim_find(v, &key) != NULL;
    pthread_mutex_unlock(&v->lock);
    return is_claimed;
}

/* 0: it is gone, or somebody needs it; ARTIFACTS_AWAY: asked again later. Whoever claims it from
 * now on enters it after this, and finds it gone. */
static int object_settle(void *arg, const struct artifact_id *id)
{
    struct vetter *t = arg;
    struct vet *v = t->v;
    char why[160];
    object_enter(t, id);
    bool is_needed = object_is_claimed(v, id) || object_is_held(v, id);
    int r = is_needed ? 0 : artifacts_drop(v->edge->artifacts, id);
    object_leave(t);
    if (r < 0)
        log_warn("artifacts.drop_failed", "class=%s account=%s why=\"%s\"",
                 artifact_class(id->kind), id->account, err_trace(why, sizeof why));
    return r ? ARTIFACTS_AWAY : 0;
}

/* The turn forgets that they were to go. When this is lost, it only asks once more. */
void vet_settled_flush(struct vet *v)
{
    struct inbound *news = calloc(1, sizeof *news);
    pthread_mutex_lock(&v->lock);
    bool has_news = news && v->settled_n;
    if (has_news) {
        *news = (struct inbound){
            .kind = INBOUND_OBJECTS_SETTLED, .settled = v->settled, .settled_n = v->settled_n};
        v->settled = NULL;
        v->settled_n = 0;
    }
    pthread_mutex_unlock(&v->lock);
    if (!has_news)
        free(news);
    else if (inbox_push(v->edge->inbox, LANE_TURN, news) != 0)
        inbound_free(news);
}

/* Told together, as each telling is a commit. */
static void settled_add(struct vet *v, const struct work *w)
{
    pthread_mutex_lock(&v->lock);
    if (!v->settled)
        v->settled = calloc(SETTLED_MAX, sizeof *v->settled);
    if (v->settled && v->settled_n < SETTLED_MAX) {
        struct object_settled *s = &v->settled[v->settled_n++];
        *s = (struct object_settled){.kind = (uint8_t)w->gone.kind, .account = w->account};
        memcpy(s->sha256, w->gone.sha256, sizeof s->sha256);
    }
    bool is_full = v->settled_n == SETTLED_MAX;
    pthread_mutex_unlock(&v->lock);
    if (is_full)
        vet_settled_flush(v);
}

void vet_gone(struct vetter *t, const struct work *w)
{
    struct artifact_id id = {.kind = (Rota__ObjectKind)w->gone.kind, .account = w->gone.account};
    memcpy(id.sha256, w->gone.sha256, sizeof id.sha256);
    if (object_settle(t, &id) == 0 && w->account)
        settled_add(t->v, w);
}

/* ---- the sweep ---- */

static void sweep_end(struct vet *v, int r)
{
    char why[160];
    v->sweep.is_on = false;
    if (r != 0)
        log_warn("artifacts.sweep_failed", "why=\"%s\"",
                 r == ARTIFACTS_ENVIRONMENT ? "the store belongs to another environment"
                 : r > 0                    ? "the store is away"
                                            : err_trace(why, sizeof why));
}

/* What nobody has named goes after a day; with a disk that is nearly full, as soon as no URL can
 * lead to it any more. */
static void sweep_begin(struct vet *v, bool is_tight)
{
    uint64_t now_ms = clock_wall_ms();
    v->sweep = (struct sweep_state){.now_ms = now_ms,
                                    .age_ms = is_tight ? INCOMING_AGE_MS_MAX : UNCLAIMED_AGE_MS_MAX,
                                    .is_on = true};
    spool_sweep(v->edge->spool, now_ms);
    int r = artifacts_sweep_incoming(v->edge->artifacts, now_ms, v->sweep.age_ms);
    if (r != 0)
        sweep_end(v, r);
}

static void sweep_some(struct vetter *t)
{
    struct vet *v = t->v;
    struct artifacts_walk walk = {
        .now_ms = v->sweep.now_ms, .age_ms = v->sweep.age_ms, .visit = object_settle, .arg = t};
    int r = artifacts_walk_some(v->edge->artifacts, &walk, &v->sweep.place);
    if (r != 0 || v->sweep.place.is_end)
        sweep_end(v, r);
}

/* Has the disk become so full since the last look that a sweep is due now? */
static bool is_newly_full(struct vet *v)
{
    unsigned percent = artifacts_full_percent(v->edge->artifacts);
    bool was_full = v->is_full;
    v->is_full = percent >= v->edge->settings->artifacts_full_percent;
    if (v->is_full && !was_full)
        log_warn("artifacts.disk_full", "percent=%u sweeping=yes", percent);
    return v->is_full && !was_full;
}

/* ---- now and then ---- */

void vet_sweep_init(struct vet *v)
{
    v->look_ms = clock_boot_ms() + LOOK_MS;
    v->sweep_ms = clock_boot_ms() + SWEEP_FIRST_MS;
}

uint64_t vet_idle_ms(const struct vet *v)
{
    uint64_t now_ms = clock_boot_ms();
    uint64_t due_ms = v->look_ms < v->sweep_ms ? v->look_ms : v->sweep_ms;
    return v->sweep.is_on || due_ms <= now_ms ? 0 : due_ms - now_ms;
}

void vet_idle(struct vetter *t)
{
    struct vet *v = t->v;
    uint64_t now_ms = clock_boot_ms();
    if (v->sweep.is_on) {
        sweep_some(t);
        return;
    }
    v->look_ms = now_ms + LOOK_MS;
    if (is_newly_full(v) || now_ms >= v->sweep_ms) {
        sweep_begin(v, v->is_full);
        v->sweep_ms = now_ms + SWEEP_MS;
    }
}
