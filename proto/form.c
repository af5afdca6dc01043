/* form.c: a form is a function over bytes that are not NUL-terminated yet.
 *
 * A NUL inside a text is refused by every text form: protobuf-c hands text on as a C string, so the
 * rest behind the NUL would be checked here and then never seen again. */
#include "form.h"

#include <arpa/inet.h>
#include <base/id.h>
#include <string.h>

/* Length of the UTF-8 sequence at `p` and its code point; 0: none. Overlong forms, surrogates and
 * values above U+10FFFF are none. */
static size_t utf8_next(const uint8_t *p, size_t n, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80       ? 1
                 : p[0] >> 5 == 6  ? 2
                 : p[0] >> 4 == 14 ? 3
                 : p[0] >> 3 == 30 ? 4
                                   : 0;
    if (len == 0 || len > n)
        return 0;
    uint32_t point = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        point = point << 6 | (p[i] & 0x3f);
    }
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return len;
}

/* Line and paragraph separators and the marks that turn the direction of writing count as control
 * characters too: they make a terminal or a log show something else than what is there. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x2028 || point == 0x2029 ||
           (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static bool is_utf8(const uint8_t *p, size_t n, bool lines)
{
    while (n) {
        uint32_t point;
        size_t len = utf8_next(p, n, &point);
        if (len == 0)
            return false;
        if (is_control(point) && !(lines && (point == '\n' || point == '\r' || point == '\t')))
            return false;
        p += len;
        n -= len;
    }
    return true;
}

static bool is_text(const uint8_t *p, size_t n)
{
    return is_utf8(p, n, true);
}

static bool is_line(const uint8_t *p, size_t n)
{
    return is_utf8(p, n, false);
}

/* Not isalnum(): a locale must not widen what the wire accepts. */
static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_alnum_or(const uint8_t *p, size_t n, const char *also)
{
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(p[i]) && (p[i] == 0 || !strchr(also, p[i])))
            return false;
    return true;
}

static bool is_name(const uint8_t *p, size_t n)
{
    return n >= 1 && n <= NAME_LEN_MAX && is_alnum(p[0]) && is_alnum_or(p, n, "._:@-");
}

static bool is_class(const uint8_t *p, size_t n)
{
    return n <= CLASS_LEN_MAX && is_name(p, n);
}

static bool is_account(const uint8_t *p, size_t n)
{
    return n >= 1 && n <= ACCOUNT_LEN_MAX && is_alnum_or(p, n, "_-");
}

static bool is_file(const uint8_t *p, size_t n)
{
    bool is_dots = (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
    return !is_dots && is_line(p, n) && !memchr(p, '/', n);
}

static bool is_hex(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
    return true;
}

static bool is_address(const uint8_t *p, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t address[16];
    if (n >= sizeof text || memchr(p, 0, n))
        return false;
    memcpy(text, p, n);
    text[n] = 0;
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_job(const uint8_t *p, size_t n)
{
    char text[JOB_ID_TEXT_LEN + 1];
    struct job_id id;
    if (n != JOB_ID_TEXT_LEN || memchr(p, 0, n))
        return false;
    memcpy(text, p, n);
    text[n] = 0;
    return job_id_parse(text, &id) == 0;
}

static const char not_a_name[] =
    "not a name of a-z A-Z 0-9 . _ : @ - that starts with a letter or digit";

static const struct form_row rows[FORM_COUNT] = {
    [FORM_ANY] = {NULL, E_FIELD_INVALID, false, 0, "not bytes"},
    [FORM_EXACT] = {NULL, E_FIELD_INVALID, true, 0, "not of the right length"},
    [FORM_TEXT] = {is_text, E_FIELD_INVALID, false, 0, "not UTF-8 text without control characters"},
    [FORM_LINE] = {is_line, E_FIELD_INVALID, false, 0, "not one line of UTF-8 text"},
    [FORM_NAME] = {is_name, E_FIELD_INVALID, false, NAME_LEN_MAX, not_a_name},
    [FORM_CLASS] = {is_class, E_FIELD_INVALID, false, CLASS_LEN_MAX, not_a_name},
    [FORM_FILE] = {is_file, E_FIELD_INVALID, false, 0, "not a file name"},
    [FORM_HEX] = {is_hex, E_FIELD_INVALID, true, 0,
                  "not lower-case hex digits of the right length"},
    [FORM_ADDRESS] = {is_address, E_FIELD_INVALID, false, 0, "not an IP address"},
    [FORM_ACCOUNT] = {is_account, E_ACCOUNT_INVALID, true, ACCOUNT_LEN_MAX,
                      "an account id has 1 to 64 characters of a-z A-Z 0-9 _ -"},
    [FORM_JOB] = {is_job, E_JOB_ID_INVALID, true, JOB_ID_TEXT_LEN,
                  "no job id: job_ and 26 characters"},
    [FORM_NUMBER] = {NULL, E_FIELD_INVALID, false, 0, "not a number in range"},
    [FORM_TIER] = {NULL, E_TIER_UNKNOWN, false, 0, "no such tier"},
    [FORM_ROLE] = {NULL, E_ROLE_UNKNOWN, false, 0, "no such role"},
    [FORM_WORD] = {NULL, E_FIELD_INVALID, false, 0, "not a value of its list"},
    [FORM_SWITCH] = {NULL, E_FIELD_INVALID, false, 0, "neither 0 nor 1"},
    [FORM_PART] = {NULL, E_MALFORMED, false, 0, "not a message"},
};

const struct form_row *form_row(enum form form)
{
    return &rows[form];
}
