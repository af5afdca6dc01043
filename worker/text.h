/* text.h: makes foreign text fit for a message of the protocol. Pure. */
#pragma once

#include <stddef.h>

/* Copies as much of `from` as fits into `size` bytes, NUL included, and never half a character:
 * what is no UTF-8 becomes '?', control characters become blanks. */
void text_clean(const char *from, char *to, size_t size);

/* The same for a word, a NAME of limits.def: letters, digits, '.', '_' and '-' stay, anything else
 * becomes
 * '-'; the first is a letter or a digit. May be empty. */
void text_word(const char *from, char *to, size_t size);
