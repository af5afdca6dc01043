/* text.c: formats are fixed, not the locale's, so that columns align and tests can compare them.
 *
 * UTF-8 is decoded here rather than by mbrtowc(3): the result must not depend on the locale that
 * the user happens to have, and broken bytes must become visible instead of ending the text. */
#include "text.h"

#include <base/clock.h>
#include <base/exit.h>
#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define REPLACED  L'\ufffd'

char *text_duration(uint64_t ms, char text[TEXT_SHORT_LEN + 1])
{
    size_t n = TEXT_SHORT_LEN + 1;
    if (ms < 1000)
        snprintf(text, n, "%ums", (unsigned)ms);
    else if (ms < 10000)
        snprintf(text, n, "%u.%us", (unsigned)(ms / 1000), (unsigned)(ms % 1000 / 100));
    else if (ms < MINUTE_MS)
        snprintf(text, n, "%us", (unsigned)(ms / 1000));
    else if (ms < HOUR_MS)
        snprintf(text, n, "%um %02us", (unsigned)(ms / MINUTE_MS),
                 (unsigned)(ms % MINUTE_MS / 1000));
    else if (ms < DAY_MS)
        snprintf(text, n, "%uh %02um", (unsigned)(ms / HOUR_MS),
                 (unsigned)(ms % HOUR_MS / MINUTE_MS));
    else
        snprintf(text, n, "%llud %02uh", (unsigned long long)(ms / DAY_MS),
                 (unsigned)(ms % DAY_MS / HOUR_MS));
    return text;
}

char *text_bytes(uint64_t bytes, char text[TEXT_SHORT_LEN + 1])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    unsigned u = 0;
    uint64_t whole = bytes, rest = 0;
    while (whole >= 1000) {
        rest = whole % 1000;
        whole /= 1000;
        u++;
    }
    if (u == 0 || whole >= 100)
        snprintf(text, TEXT_SHORT_LEN + 1, "%u %s", (unsigned)whole, units[u]);
    else
        snprintf(text, TEXT_SHORT_LEN + 1, "%u.%u %s", (unsigned)whole, (unsigned)(rest / 100),
                 units[u]);
    return text;
}

char *text_count(uint64_t n, char text[TEXT_SHORT_LEN + 1])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *to = text;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}

char *text_time(uint64_t unix_ms, char text[TEXT_SHORT_LEN + 1])
{
    char full[RFC3339_LEN + 1];
    if (!unix_ms)
        return memcpy(text, "-", 2);
    snprintf(text, TEXT_SHORT_LEN + 1, "%.19sZ", rfc3339(unix_ms, full));
    return text;
}

int text_duration_parse(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000},       {"ms", 1},      {"s", 1000},
                 {"m", MINUTE_MS}, {"h", HOUR_MS}, {"d", DAY_MS}};
    if (!isdigit((unsigned char)*text))
        return TEXT_INVALID;
    char *unit;
    errno = 0;
    unsigned long long n = strtoull(text, &unit, 10);
    if (errno)
        return TEXT_INVALID;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(unit, units[i].unit) && n <= 366ull * DAY_MS / units[i].ms) {
            *ret_ms = n * units[i].ms;
            return 0;
        }
    return TEXT_INVALID;
}

/* Length of the sequence that starts with `b`, and the bits of it; 0 when no sequence starts so. */
static int lead_byte(unsigned char b, uint32_t *ret_bits)
{
    if (b < 0x80)
        return *ret_bits = b, 1;
    if (b >= 0xc2 && b <= 0xdf)
        return *ret_bits = b & 0x1fu, 2;
    if (b >= 0xe0 && b <= 0xef)
        return *ret_bits = b & 0x0fu, 3;
    if (b >= 0xf0 && b <= 0xf4)
        return *ret_bits = b & 0x07u, 4;
    return 0;
}

/* Takes one character off; false (one byte taken) when the bytes are no UTF-8. */
static bool decode(const char **text, const char *end, uint32_t *ret_c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)*text;
    uint32_t c = 0;
    int n = lead_byte(*p, &c);
    (*text)++;
    if (!n)
        return false;
    for (int i = 1; i < n; i++) {
        if ((const char *)p + i >= end || (p[i] & 0xc0) != 0x80)
            return false;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return false;
    *text += n - 1;
    *ret_c = c;
    return true;
}

/* Marks that reorder or hide the text around them: a name could pretend to be another one. */
static bool turns_direction(uint32_t c)
{
    return c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           c == 0x2060 || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || c == 0x2028 || c == 0x2029;
}

wchar_t text_next_in(const char **text, const char *end)
{
    uint32_t c;
    if (*text >= end)
        return 0;
    if (!decode(text, end, &c) || c < 0x20 || (c >= 0x7f && c <= 0x9f) || turns_direction(c))
        return REPLACED;
    return (wchar_t)c;
}

wchar_t text_next(const char **text)
{
    return **text ? text_next_in(text, *text + strlen(*text)) : 0;
}

int text_char_columns(wchar_t c)
{
    int n = wcwidth(c);
    return n < 0 ? 1 : n;
}

int text_columns(const char *text)
{
    int n = 0;
    for (wchar_t c; (c = text_next(&text));)
        n += text_char_columns(c);
    return n;
}

char *text_encode(wchar_t wide, char *to)
{
    uint32_t c = (uint32_t)wide;
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

char *text_clean(const char *text)
{
    char *clean = x_alloc(strlen(text) * 3 + 1), *to = clean;
    for (wchar_t c; (c = text_next(&text));)
        to = text_encode(c, to);
    *to = 0;
    return clean;
}

/* Where a log stands inside an escape sequence: ESC seen; a control sequence, up to its final byte;
 * a string (title, hyperlink), up to BEL or ESC \. */
enum { PLAIN, ESCAPE, SEQUENCE, STRING, STRING_ESCAPE };

static int escape_next(int state, unsigned char b)
{
    switch (state) {
    case ESCAPE:
        if (b == '[')
            return SEQUENCE;
        if (strchr("]PX^_", b) && b)
            return STRING;
        return b >= 0x20 && b <= 0x2f ? ESCAPE : PLAIN;
    case SEQUENCE:
        return b >= 0x40 || b < 0x20 ? PLAIN : SEQUENCE;
    case STRING:
        return b == 7 ? PLAIN : b == 27 ? STRING_ESCAPE : STRING;
    default:
        return b == '\\' ? PLAIN : STRING;
    }
}

char *text_clean_log(const char *bytes, size_t n, int *state, size_t *ret_n)
{
    const char *at = bytes, *end = bytes + n;
    char *clean = x_alloc(n * 3 + 1), *to = clean;
    while (at < end) {
        unsigned char b = (unsigned char)*at;
        if (b == '\n')
            *state = PLAIN; /* a sequence without end hides its own line and no more */
        if (*state != PLAIN) {
            *state = escape_next(*state, b);
            at++;
        } else if (b == 27) {
            *state = ESCAPE;
            at++;
        } else if (b == '\n' || b == '\t') {
            *to++ = (char)b;
            at++;
        } else if (b == '\r') {
            at++;
            if (at < end && *at != '\n')
                *to++ = '\n';
        } else {
            to = text_encode(text_next_in(&at, end), to);
        }
    }
    *ret_n = (size_t)(to - clean);
    *to = 0;
    return clean;
}

static bool is_utf8;

void text_locale_init(void)
{
    is_utf8 = setlocale(LC_CTYPE, "") && !strcmp(nl_langinfo(CODESET), "UTF-8");
    if (!is_utf8)
        setlocale(LC_CTYPE, "C.UTF-8");
}

bool text_is_utf8(void)
{
    return is_utf8;
}

void *x_must(void *p)
{
    if (p)
        return p;
    static const char text[] = "rota: out of memory\n";
    fwrite(text, 1, sizeof text - 1, stderr);
    exit(EXIT_TRY_AGAIN);
}

void *x_alloc(size_t n)
{
    return x_must(calloc(1, n ? n : 1));
}

void *x_realloc(void *p, size_t n)
{
    return x_must(realloc(p, n ? n : 1));
}

char *x_strdup(const char *s)
{
    return x_must(strdup(s));
}

char *x_printf(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return x_must(n < 0 ? NULL : text);
}
