/* undo.c: two growing arrays, reused turn after turn: entries, and the bytes they saved. */
#include "base/undo.h"

#include "base/auto.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum kind { SAVED, BORN, DIES, CALL };

struct entry {
    enum kind kind;
    size_t n; /* SAVED: how many bytes, the last of the heap */
    void *p;
    void *arg;
    union {
        void (*destroy)(void *);
        void (*back)(void *, void *);
    } fn;
};

struct undo {
    struct entry *entries;
    size_t count, cap;
    unsigned char *bytes;
    size_t used, bytes_cap;
};

int undo_new(struct undo **ret_undo)
{
    struct undo *u = calloc(1, sizeof *u);
    if (!u)
        return err_raise(-ENOMEM);
    *ret_undo = u;
    return 0;
}

struct undo *undo_free(struct undo *u)
{
    if (u) {
        free(u->entries);
        free(u->bytes);
        free(u);
    }
    return NULL;
}

static void *grown(void *p, size_t *cap, size_t need, size_t each)
{
    if (need <= *cap)
        return p;
    size_t want = *cap ? *cap * 2 : 256;
    while (want < need)
        want *= 2;
    void *bigger = realloc(p, want * each);
    if (!bigger) {
        fputs("undo: out of memory in the middle of a turn\n", stderr);
        abort();
    }
    *cap = want;
    return bigger;
}

static struct entry *entry_new(struct undo *u, enum kind kind, void *p)
{
    u->entries = grown(u->entries, &u->cap, u->count + 1, sizeof *u->entries);
    struct entry *e = &u->entries[u->count++];
    *e = (struct entry){.kind = kind, .p = p};
    return e;
}

void undo_save(struct undo *u, void *p, size_t n)
{
    if (!u)
        return;
    u->bytes = grown(u->bytes, &u->bytes_cap, u->used + n, 1);
    memcpy(u->bytes + u->used, p, n);
    u->used += n;
    entry_new(u, SAVED, p)->n = n;
}

void undo_born(struct undo *u, void *object, void (*destroy)(void *))
{
    if (u)
        entry_new(u, BORN, object)->fn.destroy = destroy;
}

void undo_dies(struct undo *u, void *object, void (*destroy)(void *))
{
    if (u)
        entry_new(u, DIES, object)->fn.destroy = destroy;
    else
        destroy(object);
}

void undo_call(struct undo *u, void (*back)(void *, void *), void *arg, void *object)
{
    if (!u)
        return;
    struct entry *e = entry_new(u, CALL, object);
    e->arg = arg;
    e->fn.back = back;
}

void undo_keep(struct undo *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        if (u->entries[i].kind == DIES)
            u->entries[i].fn.destroy(u->entries[i].p);
    u->count = u->used = 0;
}

void undo_unwind(struct undo *u)
{
    while (u && u->count) {
        struct entry e = u->entries[--u->count];
        switch (e.kind) {
        case SAVED:
            assert(u->used >= e.n);
            u->used -= e.n;
            memcpy(e.p, u->bytes + u->used, e.n);
            break;
        case BORN:
            e.fn.destroy(e.p);
            break;
        case CALL:
            e.fn.back(e.arg, e.p);
            break;
        case DIES:
            break; /* it lives on */
        }
    }
    assert(!u || u->used == 0);
}

size_t undo_entries(const struct undo *u)
{
    return u ? u->count : 0;
}
