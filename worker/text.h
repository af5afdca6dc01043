/* text.h: makes text fit for a message of the protocol and for a job's log. Pure. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

enum { TEXT_LINE_MAX = 1024 }; /* bytes of a line of a log, its newline included */

/* Copies as much of `from` as fits into `size` bytes, NUL included, and never half a character:
 * what is no UTF-8 and what turns the direction of writing becomes '?', control characters become
 * blanks. */
void text_clean(const char *from, char *to, size_t size);

/* The same for a word, a NAME of limits.def: letters, digits, '.', '_' and '-' stay, anything else
 * becomes
 * '-'; the first is a letter or a digit. May be empty. */
void text_word(const char *from, char *to, size_t size);

/* One line of a log: formats, cuts what is too long and ends it with a newline, without a NUL.
 * Returns the bytes written, newline included; 0 when the format fails. */
__attribute__((format(printf, 2, 0))) size_t text_line(char line[TEXT_LINE_MAX], const char *format,
                                                       va_list args);
