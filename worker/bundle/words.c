/* words.c: bytes become lines; a line longer than the buffer is passed on in pieces. */
#include "words.h"

#include <string.h>

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

static void line_end(struct words *w)
{
    if (w->line_n >= sizeof fetch_mark - 1 &&
        memcmp(w->line_text, fetch_mark, sizeof fetch_mark - 1) == 0) {
        w->fetched(w->arg);
    } else if (w->line_n > 0) {
        tail_add(w, w->line_text, w->line_n);
        w->line(w->arg, w->line_text, w->line_n);
    }
    w->line_n = 0;
}

void words_add(struct words *w, const void *p, size_t n)
{
    for (const char *c = p, *end = c + n; c < end; c++) {
        w->line_text[w->line_n++] = *c;
        if (*c == '\n' || w->line_n == sizeof w->line_text)
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
