/* text.c: UTF-8 by its definition (RFC 3629): no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
#include "text.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the character at `s`, which becomes *ret_c, or 0 when there is none. Stops at the NUL
 * by itself: it is no continuation byte. */
static size_t utf8_length(const unsigned char *s, uint32_t *ret_c)
{
    static const struct {
        unsigned char mask, lead;
        size_t n;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 1, 0},
                 {0xe0, 0xc0, 2, 0x80},
                 {0xf0, 0xe0, 3, 0x800},
                 {0xf8, 0xf0, 4, 0x10000}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if ((s[0] & forms[f].mask) != forms[f].lead)
            continue;
        uint32_t c = s[0] & (unsigned char)~forms[f].mask;
        for (size_t i = 1; i < forms[f].n; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (s[i] & 0x3f);
        }
        bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
        *ret_c = c;
        return c < forms[f].least || is_surrogate || c > 0x10ffff ? 0 : forms[f].n;
    }
    return 0;
}

/* The control characters of ASCII, and those of Unicode's second block (U+0080 to U+009F), which
 * terminals obey as well. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Marks that turn the direction of writing, so that text would read as another than it is, and
 * Unicode's own ends of lines and paragraphs. */
static bool turns_direction(uint32_t c)
{
    return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* What stands for a character that is not shown; 0: it is. `n`: its length, 0 for none. */
static char stand_in(size_t n, uint32_t c)
{
    if (n == 0 || turns_direction(c))
        return '?';
    return is_control(c) ? ' ' : 0;
}

void text_clean(const char *from, char *to, size_t size)
{
    assert(size > 0);
    const unsigned char *s = (const unsigned char *)from;
    size_t at = 0;
    while (*s) {
        uint32_t c = 0;
        size_t n = utf8_length(s, &c);
        char other = stand_in(n, c);
        size_t width = other ? 1 : n;
        if (at + width >= size)
            break;
        if (other)
            to[at] = other;
        else
            memcpy(to + at, s, n);
        at += width;
        s += n ? n : 1;
    }
    to[at] = '\0';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._-", c));
}

void text_word(const char *from, char *to, size_t size)
{
    assert(size > 0);
    while (*from && (!is_word(*from) || strchr("._-", *from)))
        from++;
    size_t at = 0;
    for (; from[at] && at + 1 < size; at++) {
        to[at] = '-';
        if (is_word(from[at]))
            to[at] = from[at];
    }
    to[at] = '\0';
}

size_t text_line(char line[TEXT_LINE_MAX], const char *format, va_list args)
{
    int n = vsnprintf(line, TEXT_LINE_MAX, format, args);
    if (n < 0)
        return 0;
    size_t at = (size_t)n < TEXT_LINE_MAX - 1 ? (size_t)n : TEXT_LINE_MAX - 1;
    line[at] = '\n';
    return at + 1;
}
