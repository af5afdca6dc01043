/* text.h: words for people: durations, sizes, counts, and text from elsewhere made safe for a
 * terminal.
 *
 * Whatever came over the wire may hold escape sequences (a job's message is the build's own word),
 * so everything foreign goes through text_clean() before it reaches a terminal. Pure but for the
 * locale that wcwidth(3) reads; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

enum { TEXT_SHORT_LEN = 31 };

/* "350ms", "4.2s", "3m 02s", "2h 05m", "3d 04h"; at most 8 columns up to 1,000 days. */
char *text_duration(uint64_t ms, char text[TEXT_SHORT_LEN + 1]);

/* "812 B", "1.2 MB": powers of 1000. */
char *text_bytes(uint64_t bytes, char text[TEXT_SHORT_LEN + 1]);

/* "1,234,567" */
char *text_count(uint64_t n, char text[TEXT_SHORT_LEN + 1]);

/* RFC 3339 in UTC without the fraction: "2026-11-20T09:12:38Z"; "-" for 0. */
char *text_time(uint64_t unix_ms, char text[TEXT_SHORT_LEN + 1]);

enum text_outcome { TEXT_INVALID = 1 };

/* Reads "90" (seconds), "500ms", "90s", "5m", "2h", "1d". TEXT_INVALID: none of these, or more than
 * 366 days; *ret_ms is untouched. */
__attribute__((warn_unused_result)) int text_duration_parse(const char *text, uint64_t *ret_ms);

/* The next character of UTF-8 text as something that may be shown: control characters, broken bytes
 * and the marks that turn the direction of writing become U+FFFD. *text moves on; 0 at the end. */
wchar_t text_next(const char **text);

/* The same for a run of `n` bytes; *text stops at `end`. */
wchar_t text_next_in(const char **text, const char *end);

/* Appends `c` as UTF-8 without a NUL; `to` has room for 4 bytes. Gives the end. */
char *text_encode(wchar_t c, char *to);

/* Columns that a character takes on a terminal: 0 (a combining mark), 1 or 2. */
int text_char_columns(wchar_t c);
int text_columns(const char *text);

/* A copy that is safe to print on one line; the caller frees. Exits when memory is out. */
char *text_clean(const char *text);

/* Cleans `n` bytes of a log in place of printing them raw: line ends and tabs stay, whole escape
 * sequences go, so that colours of a build tool leave no debris; one without end goes as far as its
 * line. The result (caller frees) has *ret_n bytes. A sequence that is cut at the end of one piece
 * is finished in the next: `state` starts at 0 and belongs to one log. */
char *text_clean_log(const char *bytes, size_t n, int *state, size_t *ret_n);

/* Once at start: UTF-8 for names of files and apps, whatever the user's locale says. */
void text_locale_init(void);
/* Does the user's own locale speak UTF-8? Else bars and lines are drawn in ASCII. */
bool text_is_utf8(void);

/* Memory or exit: the policy of a short-lived tool. x_must() gives back what is not NULL. */
void *x_must(void *p);
void *x_alloc(size_t n);
void *x_realloc(void *p, size_t n);
char *x_strdup(const char *s);
__attribute__((format(printf, 1, 2))) char *x_printf(const char *format, ...);
