/* engines.c: every comparator is an interval of versions, [from, below). A set of comparators is
 * their common part, a range is several sets between "||". A version becomes one number, so that
 * "the next minor" is an addition. */
#include "engines.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PART_BITS = 20, PART_MAX = (1 << PART_BITS) - 2 };

typedef uint64_t point;

static const point last = UINT64_MAX;

struct interval {
    point from, below;
};

/* "22.x": parts that are written, up to the first x. */
struct partial {
    unsigned part[3];
    unsigned n;
    bool is_prerelease;
};

static point point_of(unsigned major, unsigned minor, unsigned patch)
{
    return (point)major << 2 * PART_BITS | (point)minor << PART_BITS | patch;
}

static point first_of(const struct partial *p)
{
    return point_of(p->part[0], p->part[1], p->part[2]);
}

/* The first version behind all that begin with the first `n` parts. */
static point behind(const struct partial *p, unsigned n)
{
    if (n == 0)
        return last;
    return n == 1   ? point_of(p->part[0] + 1, 0, 0)
           : n == 2 ? point_of(p->part[0], p->part[1] + 1, 0)
                    : first_of(p) + 1;
}

static const char *blanks(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* ---- reading ---- */

static bool is_wild(char c)
{
    return c == 'x' || c == 'X' || c == '*';
}

static bool part_read(const char **at, unsigned *ret)
{
    const char *s = *at;
    uint64_t n = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++)
        if ((n = n * 10 + (unsigned)(*s - '0')) > PART_MAX)
            return false;
    *ret = (unsigned)n;
    *at = s;
    return true;
}

static const char *tail_skip(const char *s)
{
    while (isalnum((unsigned char)*s) || *s == '-' || *s == '.')
        s++;
    return s;
}

static bool is_end(char c)
{
    return !c || isspace((unsigned char)c) || c == '|';
}

/* What comes behind an x says nothing: x.20 is x. */
static bool partial_read(const char **at, struct partial *ret)
{
    struct partial p = {0};
    const char *s = *at;
    unsigned ignored;
    bool has_wild = false;
    s += *s == 'v' || *s == '=';
    for (unsigned i = 0; i < 3; i++) {
        if (i > 0 && *s++ != '.')
            return false;
        if (is_wild(*s)) {
            has_wild = true;
            s++;
        } else if (!part_read(&s, has_wild ? &ignored : &p.part[i])) {
            return false;
        } else if (!has_wild) {
            p.n = i + 1;
        }
        if (*s != '.')
            break;
    }
    p.is_prerelease = *s == '-';
    if (*s == '-')
        s = tail_skip(s + 1);
    if (*s == '+')
        s = tail_skip(s + 1);
    if (!is_end(*s))
        return false;
    *ret = p;
    *at = s;
    return true;
}

/* ---- comparators ---- */

static struct interval equal(const struct partial *p)
{
    if (p->is_prerelease)
        return (struct interval){0, 0}; /* no release is one */
    return (struct interval){first_of(p), behind(p, p->n)};
}

static struct interval less(const struct partial *p)
{
    return (struct interval){0, p->n ? first_of(p) : 0};
}

static struct interval less_equal(const struct partial *p)
{
    return (struct interval){0, p->is_prerelease ? first_of(p) : behind(p, p->n)};
}

static struct interval more(const struct partial *p)
{
    return (struct interval){p->is_prerelease ? first_of(p) : behind(p, p->n), last};
}

static struct interval more_equal(const struct partial *p)
{
    return (struct interval){first_of(p), last};
}

static struct interval tilde(const struct partial *p)
{
    return (struct interval){first_of(p), behind(p, p->n < 2 ? p->n : 2)};
}

/* Up to the next change of the first part that is not 0. */
static struct interval caret(const struct partial *p)
{
    unsigned n = 1;
    while (n < p->n && p->part[n - 1] == 0)
        n++;
    return (struct interval){first_of(p), behind(p, n < p->n ? n : p->n)};
}

static const struct {
    const char *sign;
    struct interval (*of)(const struct partial *p);
} signs[] = {{">=", more_equal}, {"<=", less_equal}, {">", more},  {"<", less}, {"~>", tilde},
             {"~", tilde},       {"^", caret},       {"=", equal}, {"", equal}};

static bool comparator_read(const char **at, struct interval *ret)
{
    struct partial p;
    size_t i = 0;
    while (strncmp(*at, signs[i].sign, strlen(signs[i].sign)) != 0)
        i++;
    const char *s = blanks(*at + strlen(signs[i].sign));
    if (!partial_read(&s, &p))
        return false;
    *ret = signs[i].of(&p);
    *at = s;
    return true;
}

/* "18 - 22.4"; false: it is none. */
static bool hyphen_read(const char **at, struct interval *ret)
{
    struct partial from, to;
    const char *s = *at;
    if (!partial_read(&s, &from))
        return false;
    const char *dash = blanks(s);
    if (dash == s || dash[0] != '-' || !isspace((unsigned char)dash[1]))
        return false;
    s = blanks(dash + 1);
    if (!partial_read(&s, &to))
        return false;
    *ret = (struct interval){first_of(&from), less_equal(&to).below};
    *at = s;
    return true;
}

static bool set_read(const char **at, struct interval *ret)
{
    struct interval all = {0, last};
    for (*at = blanks(*at); **at && **at != '|'; *at = blanks(*at)) {
        struct interval one;
        if (!hyphen_read(at, &one) && !comparator_read(at, &one))
            return false;
        all.from = one.from > all.from ? one.from : all.from;
        all.below = one.below < all.below ? one.below : all.below;
    }
    *ret = all;
    return true;
}

int engines_match(const char *range, struct engines_version v)
{
    const point at = point_of(v.major, v.minor, v.patch);
    bool does = false;
    if (strlen(range) > ENGINES_RANGE_MAX)
        return ENGINES_UNREADABLE;
    for (const char *s = range;; s += 2) {
        struct interval set;
        if (!set_read(&s, &set))
            return ENGINES_UNREADABLE;
        does = does || (at >= set.from && at < set.below);
        if (!*s)
            return does ? 0 : ENGINES_OTHER;
        if (s[1] != '|')
            return ENGINES_UNREADABLE;
    }
}

int engines_version_read(const char *text, struct engines_version *ret)
{
    struct engines_version v;
    if (sscanf(text + (*text == 'v'), "%u.%u.%u", &v.major, &v.minor, &v.patch) != 3 ||
        v.major > PART_MAX || v.minor > PART_MAX || v.patch > PART_MAX)
        return ENGINES_UNREADABLE;
    *ret = v;
    return 0;
}
