/* terminal.h: what standard output can do: colours, a line that is written over, its width.
 *
 * Sequences come from terminfo; a pipe, TERM=dumb or NO_COLOR get plain text. Main thread. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

enum style { STYLE_PLAIN, STYLE_HEAD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_COUNT };

/* Once at start, after text_locale_init(). */
void term_init(void);

/* May lines be written over on this stream? (1: stdout, 2: stderr) */
bool term_is_live(int fd);
int term_columns(int fd);

/* What switches a style on and off on standard output; "" where there are no colours. */
const char *term_on(enum style style);
const char *term_off(enum style style);

/* Replaces the line that is written over; cut to the width of the terminal. */
void term_live(FILE *to, const char *text);
/* Ends it: the next output starts on a line of its own. */
void term_live_end(FILE *to);

/* "━━━━━────" of `width` columns, or "#####-----" where the terminal knows no UTF-8. The caller's
 * buffer holds at least 3 * width + 1 bytes. */
char *term_bar(unsigned percent, int width, char *text);

/* From here on SIGINT and SIGTERM end the program with 130 and 143, after the live line is closed
 * and the file `path` (borrowed; NULL: none) is removed. Call again to change the path. */
void term_guard(const char *path);
