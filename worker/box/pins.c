/* pins.c: one growing text with places in it in the room of many small allocations, because a large
 * workspace has tens of thousands of patterns. */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

static int text_add(struct pins *p, const char *text, size_t n)
{
    if (p->text_room - p->text_n < n) {
        size_t room = 2 * p->text_room + n;
        if (room > UINT32_MAX)
            return PINS_FULL;
        char *grown = realloc(p->text, room);
        if (!grown)
            return err_raise(-ENOMEM);
        p->text = grown;
        p->text_room = room;
    }
    memcpy(p->text + p->text_n, text, n);
    p->text_n += n;
    return 0;
}

static int pin_add(struct pins *p, struct pin_list *list, struct pin pin)
{
    if (p->keys.n + p->wishes.n >= PINS_MAX)
        return PINS_FULL;
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : ROOM_FIRST;
        struct pin *grown = reallocarray(list->v, room, sizeof *grown);
        if (!grown)
            return err_raise(-ENOMEM);
        list->v = grown;
        list->room = room;
    }
    list->v[list->n++] = pin;
    return 0;
}

int pins_key(struct pins *p, const char *pattern)
{
    const struct pin pin = {.pattern = (uint32_t)p->text_n, .entry = p->entries};
    int r = pin_add(p, &p->keys, pin);
    if (r == 0)
        r = text_add(p, pattern, strlen(pattern) + 1);
    return r < 0 ? err_pass(r) : r;
}

int pins_wish(struct pins *p, const char *name, const char *range, const char *asker)
{
    const size_t pattern_n = strlen(name) + 1 + strlen(range) + 1;
    const struct pin pin = {.pattern = (uint32_t)p->text_n,
                            .word = (uint32_t)(p->text_n + pattern_n),
                            .entry = p->entries};
    int r = pin_add(p, &p->wishes, pin);
    if (r == 0)
        r = text_add(p, name, strlen(name));
    if (r == 0)
        r = text_add(p, "@", 1);
    if (r == 0)
        r = text_add(p, range, strlen(range) + 1);
    if (r == 0)
        r = text_add(p, asker, strlen(asker) + 1);
    return r < 0 ? err_pass(r) : r;
}

int pins_entry_end(struct pins *p, const char *version)
{
    const uint32_t at = (uint32_t)p->text_n;
    int r = text_add(p, version, strlen(version) + 1);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    for (size_t i = p->keys.n; i > 0 && p->keys.v[i - 1].entry == p->entries; i--)
        p->keys.v[i - 1].word = at;
    p->entries++;
    return 0;
}

static int by_pattern(const void *a, const void *b, void *text)
{
    const struct pin *x = a, *y = b;
    return strcmp((char *)text + x->pattern, (char *)text + y->pattern);
}

const char *pins_sort(struct pins *p)
{
    const struct pin_list *keys = &p->keys;
    if (keys->n)
        qsort_r(keys->v, keys->n, sizeof *keys->v, by_pattern, p->text);
    for (size_t i = 1; i < keys->n; i++)
        if (by_pattern(&keys->v[i - 1], &keys->v[i], p->text) == 0 &&
            keys->v[i - 1].entry != keys->v[i].entry)
            return p->text + keys->v[i].pattern;
    return NULL;
}

const struct pin *pins_find(const struct pins *p, const char *pattern)
{
    size_t from = 0, to = p->keys.n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int order = strcmp(pattern, p->text + p->keys.v[mid].pattern);
        if (order == 0)
            return &p->keys.v[mid];
        if (order < 0)
            to = mid;
        else
            from = mid + 1;
    }
    return NULL;
}

void pins_deinit(struct pins *p)
{
    free(p->keys.v);
    free(p->wishes.v);
    free(p->text);
    *p = (struct pins){0};
}
