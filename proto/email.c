/* email.c: see email.h. By hand, because a pattern for this is longer and says less. */
#include "email.h"

#include <stddef.h>
#include <string.h>

enum { LOCAL_LEN_MAX = 64, LABEL_LEN_MAX = 63 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_atext(char c)
{
    return c && (is_letter(c) || is_digit(c) || strchr("!#$%&'*+/=?^_`{|}~-", c));
}

static bool is_local(const char *p, size_t n)
{
    if (n == 0 || n > LOCAL_LEN_MAX || p[0] == '.' || p[n - 1] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_atext(p[i]) && (p[i] != '.' || p[i - 1] == '.'))
            return false;
    return true;
}

static bool is_label(const char *p, size_t n)
{
    if (n == 0 || n > LABEL_LEN_MAX || p[0] == '-' || p[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_letter(p[i]) && !is_digit(p[i]) && p[i] != '-')
            return false;
    return true;
}

static bool is_domain(const char *p)
{
    size_t labels = 0;
    for (;; labels++) {
        size_t n = strcspn(p, ".");
        if (!is_label(p, n))
            return false;
        if (!p[n])
            return labels > 0 && strspn(p, "0123456789") < n;
        p += n + 1;
    }
}

bool email_read(const char *text, char ret_email[EMAIL_LEN_MAX + 1])
{
    size_t n = strlen(text), local = strcspn(text, "@");
    if (n > EMAIL_LEN_MAX || local == n || !is_local(text, local) || !is_domain(text + local + 1))
        return false;
    memcpy(ret_email, text, n + 1);
    for (char *p = ret_email + local; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return true;
}
