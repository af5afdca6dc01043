/* review_evidence.c: what a score rests on, written so that a person can judge it: a sentence, with
 * whom, and the value that they share. */
#include "engine/reviews.h"

#include "store/keys.h"

#include <errno.h>
#include <stdio.h>

enum { SENTENCE_BYTES = 96 };

static const struct {
    Rota__SignalKind kind;
    unsigned signal;
    const char *before, *one, *many; /* the sentence, around how many others */
} signs[ABUSE_SIGNALS] = {
    {ROTA__SIGNAL_KIND__SIGNAL_HASH, ABUSE_HASH, "the same bundle as", "other account",
     "other accounts"},
    {ROTA__SIGNAL_KIND__SIGNAL_IP, ABUSE_IP, "the same network address as", "other account",
     "other accounts"},
    {ROTA__SIGNAL_KIND__SIGNAL_NAMES, ABUSE_NAMES, "app names like those of", "other account",
     "other accounts"},
    {ROTA__SIGNAL_KIND__SIGNAL_SAME_DAY, ABUSE_SAME_DAY, "created on the same UTC day as",
     "of them", "of them"},
    {ROTA__SIGNAL_KIND__SIGNAL_MINUTES, ABUSE_MINUTES, "published within 5 minutes of", "of them",
     "of them"},
};

/* A number in the arena: how accounts are named in the stored form. */
static char *number_text(struct turn *t, uint64_t number)
{
    enum { DIGITS_MAX = 21 };
    char *text = arena_alloc(t->fx->arena, DIGITS_MAX);
    if (text)
        snprintf(text, DIGITS_MAX, "%llu", (unsigned long long)number);
    return text;
}

static char *sentence(struct turn *t, size_t sign, uint64_t accounts, bool has_more)
{
    char *text = arena_alloc(t->fx->arena, SENTENCE_BYTES);
    if (text)
        snprintf(text, SENTENCE_BYTES, "%s %llu%s %s", signs[sign].before,
                 (unsigned long long)accounts, has_more ? " or more" : "",
                 accounts == 1 ? signs[sign].one : signs[sign].many);
    return text;
}

static int evidence_accounts(struct turn *t, Rota__Evidence *e, const struct abuse_case *c,
                             size_t sign)
{
    const struct abuse_link *l = sign < ABUSE_LINKS ? &c->link[sign] : NULL;
    const struct abuse_few *few = sign == ABUSE_INDEX_SAME_DAY ? &c->day : &c->minutes;
    unsigned n = l ? l->n : few->n;
    n = n < EVIDENCE_ACCOUNTS_MAX ? n : EVIDENCE_ACCOUNTS_MAX;
    e->others = l ? l->n : few->total;
    e->account = arena_alloc(t->fx->arena, EVIDENCE_ACCOUNTS_MAX * sizeof(char *));
    if (!e->account)
        return err_raise(-ENOMEM);
    for (e->n_account = 0; e->n_account < n; e->n_account++) {
        uint64_t number = l ? l->others[e->n_account].account : few->accounts[e->n_account];
        e->account[e->n_account] = number_text(t, number);
        if (!e->account[e->n_account])
            return err_raise(-ENOMEM);
    }
    return 0;
}

static int evidence_fill(struct turn *t, Rota__Evidence *e, struct abuse_case *c, size_t sign)
{
    rota__evidence__init(e);
    e->kind = signs[sign].kind;
    e->points = abuse_score(signs[sign].signal);
    int r = evidence_accounts(t, e, c, sign);
    if (r != 0)
        return r;
    bool has_more = sign < ABUSE_LINKS && c->link[sign].has_more;
    e->text = sentence(t, sign, e->others, has_more);
    if (sign < ABUSE_LINKS)
        e->value = (ProtobufCBinaryData){SIGNAL_VALUE_BYTES, c->link[sign].value.b};
    return e->text ? 0 : err_raise(-ENOMEM);
}

int evidence_make(struct turn *t, struct abuse_case *c, Rota__Review *review)
{
    Rota__Evidence *all = arena_alloc(t->fx->arena, ABUSE_SIGNALS * sizeof *all);
    review->evidence = arena_alloc(t->fx->arena, ABUSE_SIGNALS * sizeof(Rota__Evidence *));
    if (!all || !review->evidence)
        return err_raise(-ENOMEM);
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (!(c->signals & signs[i].signal))
            continue;
        int r = evidence_fill(t, &all[i], c, i);
        if (r != 0)
            return r;
        review->evidence[review->n_evidence++] = &all[i];
    }
    return 0;
}

static bool evidence_has(const Rota__Review *review, const struct abuse_case *c, size_t sign)
{
    for (size_t i = 0; i < review->n_evidence; i++) {
        const Rota__Evidence *e = review->evidence[i];
        if (e->kind != signs[sign].kind)
            continue;
        if (sign >= ABUSE_LINKS)
            return true;
        return e->value.len == SIGNAL_VALUE_BYTES &&
               memcmp(e->value.data, c->link[sign].value.b, SIGNAL_VALUE_BYTES) == 0;
    }
    return false;
}

bool evidence_is_covered(const Rota__Review *review, const struct abuse_case *c)
{
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if ((c->signals & signs[i].signal) && !evidence_has(review, c, i))
            return false;
    return true;
}
