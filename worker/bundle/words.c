/* words.c: bytes become lines; a line longer than the buffer is passed on in pieces.
 *
 * People read a log in terminals, and terminals obey what they are shown: sequences that begin with
 * ESC are cut out whole, other control characters become spaces, and what is no UTF-8 becomes "?".
 */
#include "words.h"

#include <stdbool.h>
#include <string.h>
#include <text.h>

enum { ESC = 0x1b, BEL = 0x07 };

static const char fetch_mark[] = "npm http ";

void words_begin(struct words *w)
{
    w->line_n = 0;
    w->tail_n = 0;
    w->tail[0] = 0;
}

static void tail_add(struct words *w, const char *p, size_t n)
{
    if (n > WORDS_TAIL_MAX / 2) {
        p += n - WORDS_TAIL_MAX / 2;
        n = WORDS_TAIL_MAX / 2;
    }
    if (w->tail_n + n > WORDS_TAIL_MAX) {
        size_t keep = WORDS_TAIL_MAX / 2;
        memmove(w->tail, w->tail + w->tail_n - keep, keep);
        w->tail_n = keep;
    }
    memcpy(w->tail + w->tail_n, p, n);
    w->tail_n += n;
}

/* Where the sequence that begins at `s` ends: "ESC [ … letter", "ESC ] … BEL" and its like, or two
 * characters. */
static const char *sequence_end(const char *s, const char *end)
{
    const char *p = s + 1;
    if (p == end)
        return end;
    bool is_string = strchr("]PX^_", *p) != NULL && *p;
    if (*p != '[' && !is_string)
        return p + 1;
    for (p++; p < end; p++) {
        if (is_string ? *p == BEL : *p >= 0x40 && *p <= 0x7e)
            return p + 1;
        if (*p == ESC)
            return is_string && p + 1 < end && p[1] == '\\' ? p + 2 : p;
    }
    return end;
}

/* In place; the line keeps its newline. */
static void line_clean(struct words *w)
{
    char plain[WORDS_LINE_MAX + 1];
    size_t n = 0;
    bool has_end = w->line_n > 0 && w->line_text[w->line_n - 1] == '\n';
    const char *end = w->line_text + w->line_n - has_end;
    for (const char *p = w->line_text; p < end;) {
        if (*p == ESC) {
            p = sequence_end(p, end);
            continue;
        }
        plain[n++] = *p;
        if (*p++ == 0)
            plain[n - 1] = ' ';
    }
    while (n > 0 && plain[n - 1] == '\r')
        n--;
    plain[n] = 0;
    text_clean(plain, w->line_text, sizeof w->line_text);
    w->line_n = strlen(w->line_text);
    if (has_end)
        w->line_text[w->line_n++] = '\n';
}

static void line_end(struct words *w)
{
    if (w->fetched && w->line_n >= sizeof fetch_mark - 1 &&
        memcmp(w->line_text, fetch_mark, sizeof fetch_mark - 1) == 0) {
        w->fetched(w->arg);
    } else if (w->line_n > 0) {
        line_clean(w);
        tail_add(w, w->line_text, w->line_n);
        if (w->line_n > 0)
            w->line(w->arg, w->line_text, w->line_n);
    }
    w->line_n = 0;
}

void words_add(struct words *w, const void *p, size_t n)
{
    for (const char *c = p, *end = c + n; c < end; c++) {
        w->line_text[w->line_n++] = *c;
        if (*c == '\n' || w->line_n == WORDS_LINE_MAX)
            line_end(w);
    }
}

void words_end(struct words *w)
{
    line_end(w);
    for (size_t i = 0; i < w->tail_n; i++)
        if (!w->tail[i])
            w->tail[i] = ' ';
    w->tail[w->tail_n] = 0;
}
