/* vet_impl.h: shared by vet.c, vet_request.c and vet_sweep.c alone. */
#pragma once

#include "edge/vet.h"
#include "store/keys.h"
#include "store/rows.h"

#include <assert.h>
#include <base/arena.h>
#include <pthread.h>

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->is_lost = true)
#include <uthash.h>

enum {
    VET_ARENA_BYTES = 8 << 20,
    VET_THREADS = 3, /* so that a request which waits for the bucket keeps few others waiting */
};

/* Without padding, because the whole struct is a hash key. */
struct claim_key {
    uint32_t kind;
    uint8_t sha256[32];
    char account[ACCOUNT_ID_MAX + 4];
};
_Static_assert(sizeof(struct claim_key) == 4 + 32 + ACCOUNT_ID_MAX + 4, "no padding in a key");

struct claim {
    struct claim_key key;
    unsigned count;
    bool is_lost; /* the hash table had no memory for it */
    UT_hash_handle hh;
};

/* A request between its vetting and its answer, and what it claims. */
struct vetted {
    const struct inbound *in;
    struct claim_key *keys;
    size_t keys_n;
    bool is_lost;
    UT_hash_handle hh;
};

struct work {
    struct work *next;
    struct inbound *in;    /* a request to vet, or NULL: */
    uint32_t pipe;         /* of the request; the request itself may be gone already */
    struct claim_key gone; /* an object to look at again */
    uint64_t account;      /* its number, when a row in `going` waits for it; else 0 */
    bool pipe_is_gone;
};

/* One of the threads. */
struct vetter {
    struct vet *v;
    struct arena *arena; /* the thread's own */
    pthread_t thread;
    bool has_thread;
    struct work *at_hand;    /* a request; v->lock */
    struct claim_key object; /* that it is at; v->lock */
    bool is_at_object;
};

struct vet {
    struct edge *edge;
    struct vetter vetter[VET_THREADS];
    pthread_mutex_t lock; /* all below */
    pthread_cond_t came;
    pthread_cond_t left; /* a thread is done with an object */
    struct work *work, **work_end;
    unsigned waiting;
    size_t waiting_bytes;
    struct claim *claims;
    struct vetted *vetted;
    struct object_settled *settled; /* still to be told */
    size_t settled_n;
    bool stops;

    /* The sweep under way; the first thread's own. */
    struct sweep_state {
        struct artifacts_place place;
        uint64_t now_ms, age_ms;
        bool is_on;
    } sweep;
    uint64_t sweep_ms; /* boot time of the next */
    uint64_t look_ms;  /* and of the next look at the disk */
    bool is_full;      /* the disk was, when it was looked at last */
};

struct claim_key claim_key_of(const struct artifact_id *id);
/* Holding the lock; NULL: nobody claims it. */
struct claim *claim_find(struct vet *v, const struct claim_key *key);

/* Between these two no other thread is at the object: whoever looks at, takes or deletes one is
 * there alone. One object at a time. */
void object_enter(struct vetter *t, const struct artifact_id *id);
void object_leave(struct vetter *t);

/* vet_sweep.c. An object of the queue is looked at again, and deleted when nobody needs it. */
void vet_gone(struct vetter *t, const struct work *w);
/* Tells the turn what was deleted. */
void vet_settled_flush(struct vet *v);
/* What the first thread does when nothing waits, and how long from now. */
void vet_sweep_init(struct vet *v);
uint64_t vet_idle_ms(const struct vet *v);
void vet_idle(struct vetter *t);

/* Before the object is looked for (and entered), so that it cannot vanish in between. */
MUST_USE int vet_claim(struct vet *v, struct vetted *vetted, const struct artifact_id *id);

/* E_OK, or why the request must be refused, with words in in->vetted_text. */
enum error_code vet_request(struct vetter *t, struct vetted *vetted, struct inbound *in);
