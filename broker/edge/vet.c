/* vet.c: a few threads with one queue of two kinds of work: requests to vet, and objects to look at
 * again. Once an hour, and when the disk is nearly full, the first of them also goes through
 * everything that is stored, a piece at a time while nothing else waits for it.
 *
 * One call to a bucket that hangs costs a thread up to a quarter of a minute, and with one thread
 * it would cost every finish and publish as much. Order matters only per object: a thread enters
 * the object that it looks at, takes or deletes, and the others wait for that one alone. An object
 * is unlinked only when it is claimed by no vetted request and a fresh snapshot shows no job that
 * refers to it; a claim is made before its object is entered. Requests that are under way at once
 * may overtake each other here, as they may in front of a broker.
 * What a request's objects are and whether they fit: vet_request.c. What goes: vet_sweep.c. */
#include "edge/vet.h"

#include "edge/vet_impl.h"

#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { IDLE_MS_MAX = 60000 };

struct claim *claim_find(struct vet *v, const struct claim_key *key)
{
    struct claim *c = NULL;
    HASH_FIND(hh, v->claims, key, sizeof *key, c);
    return c;
}

struct claim_key claim_key_of(const struct artifact_id *id)
{
    struct claim_key key = {.kind = (uint32_t)id->kind};
    memcpy(key.sha256, id->sha256, sizeof key.sha256);
    size_t n = strlen(id->account);
    memcpy(key.account, id->account, n <= ACCOUNT_ID_MAX ? n : ACCOUNT_ID_MAX);
    return key;
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct claim *claim_add(struct vet *v, const struct claim_key *key)
{
    struct claim *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->key = *key;
    HASH_ADD(hh, v->claims, key, sizeof c->key, c);
    if (!c->is_lost)
        return c;
    free(c);
    return NULL;
}

int vet_claim(struct vet *v, struct vetted *vetted, const struct artifact_id *id)
{
    struct claim_key key = claim_key_of(id);
    struct claim_key *more = realloc(vetted->keys, (vetted->keys_n + 1) * sizeof *more);
    if (!more)
        return err_raise(-ENOMEM);
    vetted->keys = more;
    pthread_mutex_lock(&v->lock);
    struct claim *c = claim_find(v, &key);
    if (!c)
        c = claim_add(v, &key);
    if (c) {
        c->count++;
        vetted->keys[vetted->keys_n++] = key;
    }
    pthread_mutex_unlock(&v->lock);
    return c ? 0 : err_raise(-ENOMEM);
}

/* Holding the lock. */
static void work_add(struct vet *v, struct work *w)
{
    w->next = NULL;
    *v->work_end = w;
    v->work_end = &w->next;
    pthread_cond_signal(&v->came);
}

static void gone_add(struct vet *v, const struct claim_key *key, uint64_t account)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return; /* the hourly sweep finds it */
    w->gone = *key;
    w->account = account;
    work_add(v, w);
}

static void claims_end(struct vet *v, struct vetted *vetted)
{
    for (size_t i = 0; i < vetted->keys_n; i++) {
        struct claim *c = claim_find(v, &vetted->keys[i]);
        assert(c && c->count > 0);
        if (--c->count > 0)
            continue;
        HASH_DEL(v->claims, c);
        free(c);
        gone_add(v, &vetted->keys[i], 0);
    }
}

static void vetted_free(struct vetted *vetted)
{
    free(vetted->keys);
    free(vetted);
}

bool vet_submit(struct vet *v, struct inbound *in)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return false;
    w->in = in;
    w->pipe = in->peer.pipe;
    pthread_mutex_lock(&v->lock);
    bool fits = v->waiting < VETS_MAX && v->waiting_bytes + in->n <= VETS_BYTES_MAX;
    if (fits) {
        v->waiting++;
        v->waiting_bytes += in->n;
        work_add(v, w);
    }
    pthread_mutex_unlock(&v->lock);
    if (!fits)
        free(w);
    return fits;
}

static void slots_end(struct vet *v, const struct inbound *in)
{
    size_t n = 0;
    for (size_t i = 0; i < in->sources_n; i++)
        n += in->sources[i].has_slot;
    if (n)
        source_keys_unreserve(v->edge->source_keys, n);
}

void vet_release(struct vet *v, const struct inbound *in)
{
    struct vetted *vetted = NULL;
    slots_end(v, in);
    pthread_mutex_lock(&v->lock);
    HASH_FIND_PTR(v->vetted, &in, vetted);
    if (vetted) {
        HASH_DEL(v->vetted, vetted);
        claims_end(v, vetted);
        vetted_free(vetted);
    }
    pthread_mutex_unlock(&v->lock);
}

void vet_object_gone(struct vet *v, const struct effect_object *object)
{
    struct artifact_id id = {.kind = (Rota__ObjectKind)object->kind, .account = object->account_id};
    memcpy(id.sha256, object->sha256, sizeof id.sha256);
    struct claim_key key = claim_key_of(&id);
    pthread_mutex_lock(&v->lock);
    gone_add(v, &key, object->account);
    pthread_mutex_unlock(&v->lock);
}

void vet_pipe_gone(struct vet *v, uint32_t pipe)
{
    pthread_mutex_lock(&v->lock);
    for (struct work *w = v->work; w; w = w->next)
        if (w->in && w->pipe == pipe)
            w->pipe_is_gone = true;
    for (unsigned i = 0; i < VET_THREADS; i++)
        if (v->vetter[i].at_hand && v->vetter[i].at_hand->pipe == pipe)
            v->vetter[i].at_hand->pipe_is_gone = true;
    pthread_mutex_unlock(&v->lock);
}

/* The news of the gone pipe must come after the request, or its poll would be parked for nobody. */
static void pipe_gone_push(struct vet *v, const struct peer *peer)
{
    struct inbound *news = calloc(1, sizeof *news);
    if (!news)
        return; /* the poll ends by its own time */
    news->kind = INBOUND_PIPE_GONE;
    news->peer = *peer;
    if (inbox_push(v->edge->inbox, LANE_TURN, news) != 0)
        inbound_free(news);
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct vetted *vetted_new(struct vet *v, struct inbound *in)
{
    struct vetted *vetted = calloc(1, sizeof *vetted);
    if (!vetted)
        return NULL;
    vetted->in = in;
    pthread_mutex_lock(&v->lock);
    HASH_ADD_PTR(v->vetted, in, vetted);
    pthread_mutex_unlock(&v->lock);
    if (!vetted->is_lost)
        return vetted;
    free(vetted);
    return NULL;
}

static void vet_one(struct vetter *t, struct work *w)
{
    struct vet *v = t->v;
    struct inbound *in = w->in;
    struct peer peer = in->peer;
    struct reply_to to = in->to;
    size_t n = in->n;
    struct vetted *vetted = vetted_new(v, in);
    in->vetted = vetted ? vet_request(t, vetted, in) : E_MEMORY;
    in->is_vetted = true;
    in->wants_vetting = false;
    if (inbox_push(v->edge->inbox, LANE_TURN, in) != 0) {
        vet_release(v, in);
        inbound_free(in);
        edge_refuse(v->edge, &to, E_OVERLOADED, NULL);
    }
    pthread_mutex_lock(&v->lock);
    t->at_hand = NULL;
    bool pipe_is_gone = w->pipe_is_gone;
    v->waiting--;
    v->waiting_bytes -= n;
    pthread_mutex_unlock(&v->lock);
    if (pipe_is_gone)
        pipe_gone_push(v, &peer);
}

/* ---- the thread ---- */

static struct timespec later(uint64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t ns = (uint64_t)t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

/* The next piece of work; NULL when there is none until then, or it is time to stop. */
static struct work *work_take(struct vetter *t, const struct timespec *until)
{
    struct vet *v = t->v;
    pthread_mutex_lock(&v->lock);
    while (!v->work && !v->stops)
        if (pthread_cond_timedwait(&v->came, &v->lock, until) == ETIMEDOUT)
            break;
    struct work *w = v->stops ? NULL : v->work;
    if (w) {
        v->work = w->next;
        if (!v->work)
            v->work_end = &v->work;
        t->at_hand = w->in ? w : NULL;
    }
    pthread_mutex_unlock(&v->lock);
    return w;
}

static bool vet_stops(struct vet *v)
{
    pthread_mutex_lock(&v->lock);
    bool stops = v->stops;
    pthread_mutex_unlock(&v->lock);
    return stops;
}

/* Nothing waits, so what was deleted is told. */
static bool has_news(struct vet *v)
{
    pthread_mutex_lock(&v->lock);
    bool has_news = !v->work && v->settled_n;
    pthread_mutex_unlock(&v->lock);
    return has_news;
}

static void *vet_main(void *arg)
{
    struct vetter *t = arg;
    struct vet *v = t->v;
    bool is_first = t == &v->vetter[0];
    while (!vet_stops(v)) {
        if (has_news(v))
            vet_settled_flush(v);
        if (is_first && vet_idle_ms(v) == 0)
            vet_idle(t); /* a piece of it, also while there is always work */
        struct timespec until = later(is_first ? vet_idle_ms(v) : IDLE_MS_MAX);
        struct work *w = work_take(t, &until);
        if (w && w->in)
            vet_one(t, w);
        else if (w)
            vet_gone(t, w);
        free(w);
    }
    return NULL;
}

/* ---- one at an object ---- */

static bool object_is_entered(const struct vet *v, const struct claim_key *key)
{
    for (unsigned i = 0; i < VET_THREADS; i++)
        if (v->vetter[i].is_at_object && memcmp(&v->vetter[i].object, key, sizeof *key) == 0)
            return true;
    return false;
}

void object_enter(struct vetter *t, const struct artifact_id *id)
{
    struct claim_key key = claim_key_of(id);
    pthread_mutex_lock(&t->v->lock);
    assert(!t->is_at_object); /* two would be a way to wait for each other */
    while (object_is_entered(t->v, &key))
        pthread_cond_wait(&t->v->left, &t->v->lock);
    t->object = key;
    t->is_at_object = true;
    pthread_mutex_unlock(&t->v->lock);
}

void object_leave(struct vetter *t)
{
    pthread_mutex_lock(&t->v->lock);
    t->is_at_object = false;
    pthread_cond_broadcast(&t->v->left);
    pthread_mutex_unlock(&t->v->lock);
}

/* ---- made and freed ---- */

static int threads_start(struct vet *v)
{
    int r = 0;
    vet_sweep_init(v);
    for (unsigned i = 0; r == 0 && i < VET_THREADS; i++) {
        struct vetter *t = &v->vetter[i];
        t->v = v;
        r = arena_new(VET_ARENA_BYTES, &t->arena);
        if (r == 0)
            r = -pthread_create(&t->thread, NULL, vet_main, t);
        t->has_thread = r == 0;
    }
    return r;
}

int vet_start(struct edge *edge, struct vet **ret_vet)
{
    struct vet *v = calloc(1, sizeof *v);
    if (!v)
        return err_raise(-ENOMEM);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&v->came, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&v->left, NULL);
    pthread_mutex_init(&v->lock, NULL);
    v->edge = edge;
    v->work_end = &v->work;
    int r = threads_start(v);
    if (r < 0) {
        vet_free(v);
        return err_raise(r);
    }
    *ret_vet = v;
    return 0;
}

static void work_drain(struct vet *v)
{
    struct work *next;
    for (struct work *w = v->work; w; w = next) {
        next = w->next;
        if (w->in) {
            edge_refuse(v->edge, &w->in->to, E_DRAINING, NULL);
            inbound_free(w->in);
        }
        free(w);
    }
}

struct vet *vet_free(struct vet *v)
{
    if (!v)
        return NULL;
    pthread_mutex_lock(&v->lock);
    v->stops = true;
    pthread_cond_broadcast(&v->came);
    pthread_mutex_unlock(&v->lock);
    for (unsigned i = 0; i < VET_THREADS; i++)
        if (v->vetter[i].has_thread)
            pthread_join(v->vetter[i].thread, NULL);
    work_drain(v);
    struct vetted *vetted = v->vetted, *vetted_next;
    HASH_CLEAR(hh, v->vetted);
    for (; vetted; vetted = vetted_next) {
        vetted_next = vetted->hh.next;
        vetted_free(vetted);
    }
    struct claim *c = v->claims, *c_next;
    HASH_CLEAR(hh, v->claims);
    for (; c; c = c_next) {
        c_next = c->hh.next;
        free(c);
    }
    free(v->settled);
    for (unsigned i = 0; i < VET_THREADS; i++)
        arena_free(v->vetter[i].arena);
    pthread_cond_destroy(&v->left);
    pthread_cond_destroy(&v->came);
    pthread_mutex_destroy(&v->lock);
    free(v);
    return NULL;
}
