/* words.h: what the tools of a step print, read while it passes: for the log, for the end. One
 * thread.
 *
 * The newest bytes are kept, because they say why a tool died; npm's lines about single packages
 * become progress and do not go into the log. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { WORDS_TAIL_MAX = 16 * 1024, WORDS_LINE_MAX = 1024 };

struct words {
    void (*line)(void *arg, const char *line, size_t n); /* each whole line that is for the log */
    void (*fetched)(void *arg); /* npm has one more answer; NULL: no npm here */
    void *arg;

    char line_text[WORDS_LINE_MAX + 2];
    size_t line_n;
    char tail[WORDS_TAIL_MAX + 1];
    size_t tail_n;
};

void words_begin(struct words *w);
void words_add(struct words *w, const void *p, size_t n);
/* Passes on a last line without its newline; `tail` is a string from now on. */
void words_end(struct words *w);
