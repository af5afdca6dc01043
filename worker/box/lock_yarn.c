/* lock_yarn.c: yarn.lock of Yarn 1.
 *
 *   "@scope/name@^1.0.0", "@scope/name@^1.2.0":
 *     version "1.2.3"
 *     resolved "https://HOST/@scope/name/-/name-1.2.3.tgz#SHA1"
 *     integrity sha512-…
 *     dependencies:
 *       other "^2.0.0"
 *
 * Lines are read by the strict form in which Yarn itself writes them: what is copied on means the
 * same to Yarn as here. An entry without `resolved` would make Yarn forget version and hash and ask
 * anew, so one is written from name and version; and each is written without its host, because Yarn
 * reads such a place at the registry that is configured, scopes included, and then checks the hash.
 * What is pinned and what is asked for go into the lock's pins, for pinned.c to compare. */
#include "lock.h"
#include "origin.h"

#include <errno.h>
#include <string.h>

enum { ENTRY_NAME_MAX = 256, VERSION_MAX = 256, PLACE_MAX = 1024, HASH_SHA1 = 40 };

static const char header[] = "# yarn lockfile v1";

struct word {
    const char *p;
    size_t n;
};

struct yarn {
    FILE *to;
    struct lock *lock;
    struct box_refusal *refusal;
    unsigned line;
    bool is_headed, is_open, has_integrity, is_in_list;
    char name[ENTRY_NAME_MAX], version[VERSION_MAX], place[PLACE_MAX]; /* of the entry */
};

static int bad_line(struct yarn *y)
{
    return BOX_REFUSE(y->refusal, LOCKFILE_INVALID, "yarn.lock line %u is not as Yarn 1 writes it",
                      y->line);
}

static void put(struct yarn *y, const char *p, size_t n)
{
    if (y->to) {
        fwrite(p, 1, n, y->to);
        putc('\n', y->to);
    }
}

static bool is_of_word(char c, bool is_quoted)
{
    if ((unsigned char)c < ' ' || c == '"' || c == '\\')
        return false;
    return is_quoted || (c != ' ' && !strchr(",:[]{}#'", c));
}

/* One word: "…" without quotes and backslashes inside, or plain characters. */
static bool word_take(const char **p, const char *end, struct word *ret)
{
    bool is_quoted = *p < end && **p == '"';
    const char *from = *p + is_quoted, *at = from;
    while (at < end && is_of_word(*at, is_quoted))
        at++;
    if (is_quoted ? at == end || *at != '"' : at == from)
        return false;
    *ret = (struct word){.p = from, .n = (size_t)(at - from)};
    *p = at + is_quoted;
    return true;
}

static bool word_is(const struct word *w, const char *text)
{
    return strlen(text) == w->n && memcmp(text, w->p, w->n) == 0;
}

static bool word_copy(const struct word *w, char *ret, size_t size)
{
    if (w->n == 0 || w->n >= size || memchr(w->p, 0, w->n))
        return false;
    memcpy(ret, w->p, w->n);
    ret[w->n] = 0;
    return true;
}

/* ---- entries ---- */

/* Writes `resolved`, from name and version when the lockfile had none. */
static int place_put(struct yarn *y)
{
    char line[PLACE_MAX + 32];
    const char *base = strrchr(y->name, '/');
    base = base ? base + 1 : y->name;
    int n = *y->place ? snprintf(line, sizeof line, "  resolved \"%s\"", y->place)
                      : snprintf(line, sizeof line, "  resolved \"%s/-/%s-%s.tgz\"", y->name, base,
                                 y->version);
    if (n < 0 || (size_t)n >= sizeof line)
        return bad_line(y);
    put(y, line, (size_t)n);
    return 0;
}

static int pinned(struct yarn *y, int r)
{
    if (r == PINS_FULL)
        return BOX_REFUSE(y->refusal, LOCKFILE_INVALID, "yarn.lock has more than %d names",
                          PINS_MAX);
    return r < 0 ? err_pass(r) : 0;
}

static int entry_end(struct yarn *y)
{
    if (!y->is_open)
        return 0;
    if (!*y->version)
        return BOX_REFUSE(y->refusal, LOCKFILE_INVALID, "yarn.lock line %u: `%s` has no version",
                          y->line, y->name);
    if (!y->has_integrity)
        return BOX_REFUSE(y->refusal, LOCKFILE_INTEGRITY, "`%s` %s has no integrity", y->name,
                          y->version);
    y->lock->packages++;
    y->is_open = false;
    return pinned(y, pins_entry_end(&y->lock->pins, y->version));
}

/* "name@range"; an alias ("x@npm:real@1") lies under the name it stands for. */
static int pattern_read(struct yarn *y, const struct word *w, bool is_first)
{
    char pattern[PLACE_MAX];
    size_t n = word_copy(w, pattern, sizeof pattern) ? origin_name_len(pattern) : 0;
    if (n == 0)
        return bad_line(y);
    int r = pinned(y, pins_key(&y->lock->pins, pattern));
    if (r != 0)
        return r;
    const char *range = pattern + n + 1;
    pattern[n] = 0;
    if (origin_is_foreign(range))
        return BOX_REFUSE(y->refusal, LOCKFILE_SOURCE, "`%s` comes from `%s`", pattern, range);
    const char *name = pattern;
    size_t name_n = n;
    if (strncmp(range, "npm:", 4) == 0) {
        name = range + 4;
        name_n = origin_name_len(name) ? origin_name_len(name) : strlen(name);
    }
    if (name_n == 0 || name_n >= sizeof y->name)
        return bad_line(y);
    if (is_first) {
        memcpy(y->name, name, name_n);
        y->name[name_n] = 0;
    }
    return 0;
}

static int key_line(struct yarn *y, const char *p, const char *end)
{
    const char *from = p;
    int r = entry_end(y);
    bool is_first = true;
    while (r == 0) {
        struct word w;
        if (!word_take(&p, end, &w))
            return bad_line(y);
        r = pattern_read(y, &w, is_first);
        is_first = false;
        if (r == 0 && p + 1 == end && *p == ':')
            break;
        if (r == 0 && (end - p < 3 || p[0] != ',' || p[1] != ' '))
            return bad_line(y);
        p += 2;
    }
    if (r != 0)
        return r;
    y->is_open = true;
    y->has_integrity = y->is_in_list = false;
    y->version[0] = y->place[0] = 0;
    put(y, from, (size_t)(end - from));
    return 0;
}

/* ---- what an entry says ---- */

static int on_version(struct yarn *y, const struct word *w)
{
    return *y->version || !word_copy(w, y->version, sizeof y->version) ? bad_line(y) : 0;
}

static bool is_sha1(const char *text)
{
    return strlen(text) == HASH_SHA1 && strspn(text, "0123456789abcdef") == HASH_SHA1;
}

static int on_resolved(struct yarn *y, const struct word *w)
{
    char url[PLACE_MAX];
    if (*y->place || y->has_integrity || !word_copy(w, url, sizeof url))
        return bad_line(y);
    char *mark = strchr(url, '#');
    const char *hash = mark ? mark + 1 : NULL;
    if (mark)
        *mark = 0;
    if ((hash && !is_sha1(hash)) || !origin_place(url, y->place, sizeof y->place))
        return BOX_REFUSE(y->refusal, LOCKFILE_SOURCE, "`%s` comes from `%s%s%s`", y->name, url,
                          hash ? "#" : "", hash ? hash : "");
    size_t used = strlen(y->place);
    if (hash && (size_t)snprintf(y->place + used, sizeof y->place - used, "#%s", hash) >=
                    sizeof y->place - used)
        return bad_line(y);
    return 0;
}

static int on_integrity(struct yarn *y, const struct word *w)
{
    char text[PLACE_MAX];
    if (y->has_integrity || !*y->version || !word_copy(w, text, sizeof text))
        return bad_line(y);
    if (!origin_is_integrity(text))
        return 0; /* entry_end() says it */
    y->has_integrity = true;
    return place_put(y);
}

static const struct {
    const char *name;
    int (*read)(struct yarn *y, const struct word *w);
    bool is_copied;
} members[] = {
    {"version", on_version, true},
    {"resolved", on_resolved, false},
    {"integrity", on_integrity, true},
};

static int member_line(struct yarn *y, const char *from, const char *end)
{
    const char *p = from + 2;
    struct word name, value;
    if (!y->is_open || !word_take(&p, end, &name))
        return bad_line(y);
    y->is_in_list = p + 1 == end && *p == ':';
    if (y->is_in_list) {
        put(y, from, (size_t)(end - from));
        return word_is(&name, "dependencies") || word_is(&name, "optionalDependencies")
                   ? 0
                   : bad_line(y);
    }
    if (p == end || *p++ != ' ' || !word_take(&p, end, &value) || p != end)
        return bad_line(y);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!word_is(&name, members[i].name))
            continue;
        int r = members[i].read(y, &value);
        if (r == 0 && members[i].is_copied)
            put(y, from, (size_t)(end - from));
        return r;
    }
    return word_is(&name, "uid") || word_is(&name, "registry") ? 0 : bad_line(y);
}

static int wish_line(struct yarn *y, const char *from, const char *end)
{
    const char *p = from + 4;
    char name[ENTRY_NAME_MAX], range[PLACE_MAX] = "";
    struct word n, w;
    if (!y->is_in_list || !word_take(&p, end, &n) || p == end || *p++ != ' ' ||
        !word_take(&p, end, &w) || p != end || !word_copy(&n, name, sizeof name))
        return bad_line(y);
    if (w.n > 0 && !word_copy(&w, range, sizeof range))
        return bad_line(y);
    if (w.n > 0 && origin_is_foreign(range))
        return BOX_REFUSE(y->refusal, LOCKFILE_SOURCE, "`%s` (asked for by %s) comes from `%s`",
                          name, y->name, range);
    put(y, from, (size_t)(end - from));
    return pinned(y, pins_wish(&y->lock->pins, name, range, y->name));
}

static int line_read(struct yarn *y, const char *p, const char *end)
{
    if (end > p && end[-1] == '\r')
        end--;
    size_t indent = 0;
    while (p + indent < end && p[indent] == ' ')
        indent++;
    if (p + indent == end)
        return 0;
    if (indent == 0 && *p == '#') {
        y->is_headed = y->is_headed || ((size_t)(end - p) == sizeof header - 1 &&
                                        memcmp(p, header, sizeof header - 1) == 0);
        return 0;
    }
    if (indent == 4)
        return wish_line(y, p, end);
    if (indent == 2)
        return member_line(y, p, end);
    return indent == 0 ? key_line(y, p, end) : bad_line(y);
}

int lock_yarn(const char *text, size_t n, FILE *to, struct lock *lock,
              struct box_refusal *ret_refusal)
{
    struct yarn y = {.to = to, .lock = lock, .refusal = ret_refusal};
    put(&y, header, sizeof header - 1);
    int r = 0;
    for (const char *p = text, *end = text + n; r == 0 && p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *line_end = newline ? newline : end;
        y.line++;
        r = line_read(&y, p, line_end);
        p = line_end + 1;
    }
    if (r == 0)
        r = entry_end(&y);
    if (r == 0 && !y.is_headed)
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID, "yarn.lock has no line `%s`", header);
    lock->version = 1;
    return r < 0 ? err_pass(r) : r;
}
