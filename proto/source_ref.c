/* source_ref.c: strict, because the text is kept with the job and compared by idempotency keys: a
 * second spelling of the same source would be another request. And a git URL and its ref become
 * words of a command, so nothing passes that a program could read as anything else. */
#include "source_ref.h"

#include "form.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

static const char upload_prefix[] = "upload:", git_prefix[] = "git:";

enum { PREFIX_LEN = sizeof upload_prefix - 1, HEX_LEN = SOURCE_UPLOAD_LEN - PREFIX_LEN };
enum { GIT_PREFIX_LEN = sizeof git_prefix - 1 };
_Static_assert(HEX_LEN == 2 * sizeof((struct source_ref){0}.sha256), "two digits a byte");

static bool upload_parse(struct span text, struct source_ref *ref)
{
    if (text.n != SOURCE_UPLOAD_LEN || memcmp(text.p, upload_prefix, PREFIX_LEN) != 0)
        return false;
    const char *hex = (const char *)text.p + PREFIX_LEN;
    ref->kind = SOURCE_UPLOAD;
    /* sodium alone would read capitals as well */
    return form_row(FORM_HEX)->fits((const uint8_t *)hex, HEX_LEN) &&
           sodium_hex2bin(ref->sha256, sizeof ref->sha256, hex, HEX_LEN, NULL, NULL, NULL) == 0;
}

/* ---- git ---- */

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._+-", c));
}

/* Names between single slashes. None begins with a '.', which keeps out "." and "..", with a '-',
 * which a program could take for an option, or with a '+', which git takes for force. */
static bool is_names(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool at_begin = i == 0 || p[i - 1] == '/';
        bool is_good = is_word_char(p[i]) || p[i] == '~' || (p[i] == '/' && !at_begin);
        if (!is_good || (at_begin && strchr(".-+", p[i])))
            return false;
    }
    return n > 0 && p[n - 1] != '/';
}

/* What git itself refuses in a name: "..", and an end of "." or ".lock". */
static bool is_ref(const char *p, size_t n)
{
    static const char lock[] = ".lock";
    if (n > SOURCE_GIT_REF_MAX || !is_names(p, n) || memchr(p, '~', n) || p[n - 1] == '.')
        return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (p[i] == '.' && p[i + 1] == '.')
            return false;
    return n < sizeof lock - 1 || memcmp(p + n - (sizeof lock - 1), lock, sizeof lock - 1) != 0;
}

static bool url_parse(struct span url, struct source_ref *ref)
{
    static const char default_port[] = ":443/";
    struct span rest = {0};
    bool is_tls = false;
    if (url.n > SOURCE_URL_MAX || host_of_url(url, &ref->host, &is_tls, &rest) != 0 || !is_tls)
        return false;
    const char *path = rest.p;
    if (rest.n < 2 || !is_names(path + 1, rest.n - 1))
        return false;
    memcpy(ref->url, url.p, url.n);
    return !strstr(ref->url, default_port); /* its other spelling is the one without */
}

static bool git_parse(struct span text, struct source_ref *ref)
{
    if (text.n <= GIT_PREFIX_LEN || text.n > SOURCE_TEXT_MAX ||
        memcmp(text.p, git_prefix, GIT_PREFIX_LEN) != 0)
        return false;
    const char *from = (const char *)text.p + GIT_PREFIX_LEN;
    size_t n = text.n - GIT_PREFIX_LEN;
    const char *at = memrchr(from, '@', n);
    if (!at)
        return false;
    size_t url_n = (size_t)(at - from), ref_n = n - url_n - 1;
    if (!url_parse(span_of(from, url_n), ref) || !is_ref(at + 1, ref_n))
        return false;
    memcpy(ref->ref, at + 1, ref_n);
    ref->kind = SOURCE_GIT;
    ref->is_commit = ref_n == SOURCE_COMMIT_LEN &&
                     form_row(FORM_HEX)->fits((const uint8_t *)ref->ref, SOURCE_COMMIT_LEN);
    return true;
}

int source_ref_parse(struct span text, struct source_ref *ret_ref)
{
    struct source_ref upload = {.kind = SOURCE_NONE}, git = {.kind = SOURCE_NONE};
    if (text.n == 0 || upload_parse(text, &upload))
        *ret_ref = upload;
    else if (git_parse(text, &git))
        *ret_ref = git;
    else
        return SOURCE_UNREADABLE;
    return 0;
}

/* ---- an address as people write it ---- */

struct address {
    struct host host;
    struct span path; /* without ".git" and slashes at its end */
};

static bool address_read(struct span url, struct address *ret_address)
{
    static const char git[] = ".git";
    enum { GIT_LEN = sizeof git - 1 };
    struct span path;
    bool is_tls;
    if (host_of_url(url, &ret_address->host, &is_tls, &path) != 0 || !is_tls)
        return false;
    const char *p = path.p;
    while (path.n && p[path.n - 1] == '/')
        path.n--;
    if (path.n >= GIT_LEN && memcmp(p + path.n - GIT_LEN, git, GIT_LEN) == 0)
        path.n -= GIT_LEN;
    ret_address->path = path;
    return true;
}

bool source_ref_is_of(const struct source_ref *ref, struct span repository)
{
    char url[SOURCE_URL_MAX + 1] = "";
    struct address wanted, own;
    if (ref->kind != SOURCE_GIT || repository.n == 0 || repository.n > SOURCE_URL_MAX)
        return false;
    memcpy(url, repository.p, repository.n);
    unsigned slashes = 0;
    for (char *c = url; *c && slashes < 3; c++) { /* scheme and host */
        slashes += *c == '/';
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return address_read(span_of(url, repository.n), &wanted) &&
           address_read(span_str(ref->url), &own) && host_equal(&wanted.host, &own.host) &&
           wanted.path.n == own.path.n && memcmp(wanted.path.p, own.path.p, own.path.n) == 0;
}

char *source_ref_text(const struct source_ref *ref, char text[SOURCE_TEXT_MAX + 1])
{
    assert(ref->kind == SOURCE_NONE || ref->kind == SOURCE_UPLOAD || ref->kind == SOURCE_GIT);
    text[0] = '\0';
    if (ref->kind == SOURCE_UPLOAD) {
        memcpy(text, upload_prefix, PREFIX_LEN);
        sodium_bin2hex(text + PREFIX_LEN, HEX_LEN + 1, ref->sha256, sizeof ref->sha256);
    }
    if (ref->kind == SOURCE_GIT)
        snprintf(text, SOURCE_TEXT_MAX + 1, "%s%s@%s", git_prefix, ref->url, ref->ref);
    return text;
}
