/* abuse.c: the sum, the two lines, and the distance of two names.
 *
 * The distance is the usual table of edits, kept as three rows: the swap of two neighbours looks
 * two rows back. Names have at most 64 letters, so it fits the stack and 4,096 steps. */
#include "sched/abuse.h"

#include <assert.h>
#include <string.h>

enum { ALMOST_EDITS = 2, ALMOST_LETTERS_MIN = 5, NAME_SIZE = ABUSE_NAME_MAX + 1 };

#define SIGNAL(name, weight, meaning) +(weight)
enum {
    SCORE_ALL = 0
#include "sched/abuse.def"
};
#undef SIGNAL
static_assert((unsigned)SCORE_ALL > (unsigned)ABUSE_HOLD_ABOVE,
              "no set of signs can reach the hold line");

static const struct {
    unsigned weight;
    const char *meaning;
} rows[ABUSE_SIGNALS] = {
#define SIGNAL(name, weight, meaning) [ABUSE_INDEX_##name] = {(weight), (meaning)},
#include "sched/abuse.def"
#undef SIGNAL
};

unsigned abuse_score(unsigned signals)
{
    assert(signals <= ABUSE_ALL);
    unsigned score = 0;
    for (unsigned i = 0; i < ABUSE_SIGNALS; i++)
        if (signals & 1u << i)
            score += rows[i].weight;
    return score;
}

enum abuse_verdict abuse_verdict(unsigned score)
{
    if (score > ABUSE_HOLD_ABOVE)
        return ABUSE_HOLD;
    return score > ABUSE_FLAG_ABOVE ? ABUSE_FLAG : ABUSE_FINE;
}

const char *abuse_meaning(unsigned index)
{
    assert(index < ABUSE_SIGNALS);
    return rows[index].meaning;
}

size_t abuse_name_fold(const char *name, char *out, size_t size)
{
    assert(name && out && size > 0);
    size_t n = 0;
    for (; *name && n < size - 1; name++) {
        /* Not tolower(), which depends on the locale. The bit makes letters small, and no letters.
         */
        char c = (char)(*name | 0x20);
        if (c >= 'a' && c <= 'z')
            out[n++] = c;
    }
    out[n] = 0;
    return n;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The row of the table for the first i letters of `a`; `one` and `two` are the rows before it. */
static void edits_row(const char *a, const char *b, size_t b_len, size_t i,
                      const uint8_t one[NAME_SIZE], const uint8_t two[NAME_SIZE],
                      uint8_t ret_row[NAME_SIZE])
{
    ret_row[0] = (uint8_t)i;
    for (size_t j = 1; j <= b_len; j++) {
        unsigned d = one[j - 1] + (a[i - 1] != b[j - 1]);
        d = least(d, least(one[j], ret_row[j - 1]) + 1u);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            d = least(d, two[j - 2] + 1u);
        ret_row[j] = (uint8_t)d;
    }
}

static unsigned edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    uint8_t rows_of_3[3][NAME_SIZE] = {{0}};
    for (size_t j = 0; j <= b_len; j++)
        rows_of_3[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= a_len; i++)
        edits_row(a, b, b_len, i, rows_of_3[(i + 2) % 3], rows_of_3[(i + 1) % 3], rows_of_3[i % 3]);
    return rows_of_3[a_len % 3][b_len];
}

bool abuse_names_similar(const char *a, const char *b)
{
    char x[NAME_SIZE], y[NAME_SIZE];
    size_t x_len = abuse_name_fold(a, x, sizeof x), y_len = abuse_name_fold(b, y, sizeof y);
    if (x_len == y_len && memcmp(x, y, x_len) == 0)
        return x_len > 0;
    if (x_len < ALMOST_LETTERS_MIN || y_len < ALMOST_LETTERS_MIN)
        return false;
    return edits(x, x_len, y, y_len) <= ALMOST_EDITS;
}
