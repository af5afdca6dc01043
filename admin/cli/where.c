/* where.c: one table of words. An option is such a word with its value; the short form is a list of
 * them, cut in a copy that the filter then points into. */
#include "where.h"

#include "moment.h"
#include "pbjson.h"
#include "text.h"
#include "tiername.h"

#include <base/auto.h>
#include <base/clock.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, STATE, TIERS, FROM, TO, RANGE };

/* `offset` is the member of the filter; of a RANGE, where it begins, its end being the next one. */
static const struct word {
    const char *name;
    enum kind kind;
    size_t option, offset;
} words[] = {
#define OF(field, member) offsetof(struct where_options, field), offsetof(Rota__Where, member)
    {"account", TEXT, OF(account, account)},
    {"app", TEXT, OF(app, app)},
    {"platform", TEXT, OF(platform, platform)},
    {"class", TEXT, OF(class, class_)},
    {"pool", TEXT, OF(pool, pool)},
    {"state", STATE, OF(state, state)},
    {"tier", TIERS, OF(tier, tiers)},
    {"published-from", FROM, OF(published_from, published_from_ms)},
    {"published-to", TO, OF(published_to, published_to_ms)},
    {"finished-from", FROM, OF(finished_from, finished_from_ms)},
    {"finished-to", TO, OF(finished_to, finished_to_ms)},
    {"error", TEXT, OF(error, error)},
    {"reason", TEXT, OF(reason, reason)},
    {"ref", TEXT, OF(ref, ref)},
#undef OF
    {"published", RANGE, 0, offsetof(Rota__Where, published_from_ms)},
    {"finished", RANGE, 0, offsetof(Rota__Where, finished_from_ms)},
};

enum relation { EQUAL, BELOW, AT_MOST, ABOVE, AT_LEAST };
static const struct {
    const char *sign;
    enum relation relation;
} relations[] = {{"<=", AT_MOST}, {">=", AT_LEAST}, {"<", BELOW}, {">", ABOVE}, {"=", EQUAL}};

struct reading {
    struct where *w;
    uint64_t now_ms;
    const char *option; /* "--state"; in the short form "--where" */
    size_t column;      /* of the short form; 0: an option of its own */
    char *fault;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reading *r, const char *format,
                                                       ...)
{
    va_list args;
    char what[WHERE_FAULT_LEN + 1], column[32] = "";
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (r->column)
        snprintf(column, sizeof column, ", column %zu", r->column);
    if (snprintf(r->fault, WHERE_FAULT_LEN + 1, "%s%s: %s", r->option, column, what) < 0)
        r->fault[0] = '\0';
    return WHERE_WRONG;
}

/* ---- one word ---- */

static int tiers_read(const struct reading *r, const char *text, uint32_t *ret_tiers)
{
    uint32_t tiers = 0;
    AUTO_FREE char *copy = x_strdup(text);
    for (char *rest = copy, *name; (name = strsep(&rest, ","));) {
        int tier = tier_by_name(name);
        if (tier < 0)
            return wrong(r, "there is no tier \"%.32s\"", name);
        tiers |= 1u << tier;
    }
    *ret_tiers = tiers;
    return 0;
}

static int state_read(const struct reading *r, const char *text, Rota__State *ret_state)
{
    int state = pb_word_value(&rota__state__descriptor, text);
    if (state <= 0)
        return wrong(r, "there is no state \"%.32s\"", text);
    *ret_state = (Rota__State)state;
    return 0;
}

/* From and to are half-open: what is "at most" ends behind the moment's whole reach. */
static int time_read(const struct reading *r, const char *text, enum relation relation,
                     uint64_t *ret_ms)
{
    struct moment m;
    if (moment_read(text, r->now_ms, &m) != 0)
        return wrong(r, "\"%.40s\" is no time: 2026-11-20, 2026-11-20T09:12Z, or an age as 2h",
                     text);
    *ret_ms = m.unix_ms + (relation == AT_MOST || relation == ABOVE ? m.unit_ms : 0);
    return 0;
}

/* Is it the first time? A range may be given from both sides. */
static int take_turn(const struct reading *r, const char *name, size_t bit)
{
    uint32_t mask = 1u << bit;
    if (r->w->has & mask)
        return wrong(r, "%s is given twice", name);
    r->w->has |= mask;
    return 0;
}

static size_t word_index(const char *name)
{
    size_t i = 0;
    while (i < ARRAY_LEN(words) && strcmp(words[i].name, name) != 0)
        i++;
    return i;
}

/* "published<": the word that says the same as an option. */
static const struct word *word_of_side(const struct word *range, enum relation relation)
{
    bool is_from = relation == ABOVE || relation == AT_LEAST;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].kind == (is_from ? FROM : TO) &&
            words[i].offset == range->offset + (is_from ? 0 : sizeof(uint64_t)))
            return &words[i];
    return range;
}

static int word_set(const struct reading *r, const struct word *word, enum relation relation,
                    char *value)
{
    char *member = (char *)&r->w->where;
    if (word->kind == RANGE && relation == EQUAL)
        return wrong(r, "%s is compared by <, <=, > or >=", word->name);
    if (word->kind != RANGE && relation != EQUAL)
        return wrong(r, "%s is compared by = alone", word->name);
    if (word->kind == RANGE)
        word = word_of_side(word, relation);
    member += word->offset;
    if (!*value)
        return wrong(r, "%s has no value", word->name);
    if (take_turn(r, word->name, (size_t)(word - words)) != 0)
        return WHERE_WRONG;
    switch (word->kind) {
    case TEXT:
        *(char **)(void *)member = value;
        return 0;
    case STATE:
        return state_read(r, value, (Rota__State *)(void *)member);
    case TIERS:
        return tiers_read(r, value, (uint32_t *)(void *)member);
    default:
        return time_read(r, value, relation, (uint64_t *)(void *)member);
    }
}

/* ---- the short form ---- */

/* Cuts a value off: up to a blank, or what stands between quotes. NULL: they do not close. */
static char *value_cut(char **at)
{
    char *value = *at, *end;
    if (*value == '"') {
        value++;
        end = strchr(value, '"');
        if (!end || (end[1] && !isspace((unsigned char)end[1])))
            return NULL;
    } else {
        end = value + strcspn(value, " \t\n");
    }
    *at = *end ? end + 1 : end;
    *end = '\0';
    return value;
}

static int term_read(struct reading *r, char *text, char **at)
{
    char *name = *at;
    size_t n = strcspn(name, "=<> \t\n"), i = 0;
    r->column = (size_t)(name - text) + 1;
    while (i < ARRAY_LEN(relations) &&
           strncmp(name + n, relations[i].sign, strlen(relations[i].sign)) != 0)
        i++;
    if (i == ARRAY_LEN(relations))
        return wrong(r, "\"%.*s\" is not followed by = or a value", (int)(n < 32 ? n : 32), name);
    char *value = name + n + strlen(relations[i].sign);
    name[n] = '\0';
    size_t word = word_index(name);
    if (word == ARRAY_LEN(words))
        return wrong(r, "there is no \"%.32s\" to ask for", name);
    r->column = (size_t)(value - text) + 1;
    *at = value;
    value = value_cut(at);
    return value ? word_set(r, &words[word], relations[i].relation, value)
                 : wrong(r, "the quotes do not close");
}

static int short_read(struct reading *r, const char *text)
{
    char *copy = r->w->words = x_strdup(text), *at = copy;
    r->option = "--where";
    for (;;) {
        at += strspn(at, " \t\n");
        if (!*at)
            return 0;
        int outcome = term_read(r, copy, &at);
        if (outcome)
            return outcome;
    }
}

void where_deinit(struct where *w)
{
    free(w->words);
    w->words = NULL;
}

int where_read(const struct where_options *o, uint64_t now_ms, struct where *ret_where,
               char fault[WHERE_FAULT_LEN + 1])
{
    char option[32];
    struct reading r = {.w = ret_where, .now_ms = now_ms, .option = option, .fault = fault};
    *ret_where = (struct where){.where = ROTA__WHERE__INIT};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].kind == RANGE)
            continue;
        const char *value = *(const char *const *)(const void *)((const char *)o + words[i].option);
        snprintf(option, sizeof option, "--%s", words[i].name);
        if (value && word_set(&r, &words[i], EQUAL, (char *)(uintptr_t)value) != 0)
            return WHERE_WRONG;
    }
    return o->where ? short_read(&r, o->where) : 0;
}

/* ---- and back ---- */

static char *tiers_text(uint32_t tiers)
{
    char *text = x_strdup("");
    for (unsigned t = 0; t < 4; t++) {
        if (!(tiers & 1u << t))
            continue;
        char *longer = x_printf("%s%sP%u", text, *text ? "," : "", t);
        free(text);
        text = longer;
    }
    return text;
}

/* The value of one word; NULL: it is not asked for. */
static char *word_text(const Rota__Where *where, const struct word *word)
{
    const void *member = (const char *)where + word->offset;
    char state[PB_WORD_LEN + 1], time[RFC3339_LEN + 1];
    switch (word->kind) {
    case TEXT: {
        const char *text = *(char *const *)member;
        return !*text ? NULL : x_printf(strpbrk(text, " \t\n") ? "\"%s\"" : "%s", text);
    }
    case STATE:
        return !*(const int *)member
                   ? NULL
                   : x_strdup(pb_word(&rota__state__descriptor, *(const int *)member, state));
    case TIERS:
        return !*(const uint32_t *)member ? NULL : tiers_text(*(const uint32_t *)member);
    case FROM:
    case TO:
        return !*(const uint64_t *)member ? NULL
                                          : x_strdup(rfc3339(*(const uint64_t *)member, time));
    default:
        return NULL;
    }
}

char *where_text(const Rota__Where *where)
{
    char *text = x_strdup("");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        AUTO_FREE char *value = word_text(where, &words[i]);
        if (!value)
            continue;
        char *longer = x_printf("%s%s%s=%s", text, *text ? " " : "", words[i].name, value);
        free(text);
        text = longer;
    }
    return text;
}
