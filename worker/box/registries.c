/* registries.c: what belongs together is gathered first, since Yarn gives the members of a map no
 * order; then each entry becomes lines, and each line is judged by the list of .npmrc files before
 * it is told: what does not come back as the kind that it was written as was not the name or the
 * address that it pretended to be. */
#include "registries.h"

#include "doc.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <registry_rc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 32, LINES_MAX = 2 * ENTRIES_MAX, PATH_BYTES = 4096 };
enum { LINE_BYTES = RC_KEY_MAX + RC_VALUE_MAX + 32, WHERE_BYTES = 160 }; /* never cut */

static const char file[] = ".yarnrc.yml";

enum place { AT_TOP, AT_SCOPE, AT_REGISTRY };

/* The top, a scope, or a registry. */
struct entry {
    enum place place;
    char name[RC_KEY_MAX + 1]; /* the scope's, or the registry's; empty at the top */
    char server[RC_VALUE_MAX + 1], token[RC_VALUE_MAX + 1];
    bool has_token;
    unsigned line;
};

struct reading {
    const struct npmrc_reader *reader;
    struct box_refusal *refusal;
    struct entry entry[ENTRIES_MAX];
    size_t n;
    char line[LINES_MAX][LINE_BYTES];
    size_t lines;
};

/* ---- gathering ---- */

static const struct {
    const char *name;
    enum place place;
} maps[] = {{"npmScopes", AT_SCOPE}, {"npmRegistries", AT_REGISTRY}};

static int wrong(struct reading *g, unsigned line, const char *key, const char *why)
{
    return BOX_REFUSE(g->refusal, NPMRC_INVALID, "%s line %u: `%.100s` %s", file, line, key, why);
}

static int secret(struct reading *g, unsigned line, const char *key)
{
    return BOX_REFUSE(g->refusal, NPMRC_SECRET, "%s line %u: `%.100s` holds a secret", file, line,
                      key);
}

static int text_take(struct reading *g, const struct doc_place *at, const char *text,
                     char to[RC_VALUE_MAX + 1])
{
    if (strlen(text) > RC_VALUE_MAX)
        return wrong(g, at->line, at->name[at->depth - 1], "has a value that is not allowed");
    memcpy(to, text, strlen(text) + 1);
    return 0;
}

static int server_take(struct reading *g, struct entry *e, const struct doc_place *at,
                       const char *text)
{
    return text_take(g, at, text, e->server);
}

/* "${NAME}", with or without an empty default: Yarn wants one where the variable is not everywhere.
 * Anything else is given on as nothing, so that it reaches no message. */
static int token_take(struct reading *g, struct entry *e, const struct doc_place *at,
                      const char *text)
{
    size_t n = strcspn(text, "}:-");
    const char *end = text + n + (text[n] == ':' && text[n + 1] == '-');
    end += *end == '-';
    e->has_token = true;
    e->token[0] = 0;
    if (strncmp(text, "${", 2) != 0 || strcmp(end, "}") != 0)
        return secret(g, at->line, at->name[at->depth - 1]);
    if (n + 1 > RC_VALUE_MAX)
        return wrong(g, at->line, at->name[at->depth - 1], "has a value that is not allowed");
    memcpy(e->token, text, n);
    memcpy(e->token + n, "}", 2);
    return 0;
}

static int switch_take(struct reading *g, struct entry *e, const struct doc_place *at,
                       const char *text)
{
    (void)e;
    bool is_switch = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    return is_switch ? 0 : wrong(g, at->line, at->name[at->depth - 1], "is true or false");
}

static int secret_take(struct reading *g, struct entry *e, const struct doc_place *at,
                       const char *text)
{
    (void)e;
    (void)text;
    return secret(g, at->line, at->name[at->depth - 1]);
}

static const struct member {
    const char *name;
    int (*take)(struct reading *g, struct entry *e, const struct doc_place *at, const char *text);
} members[] = {{"npmRegistryServer", server_take},
               {"npmAuthToken", token_take},
               {"npmAlwaysAuth", switch_take},
               {"npmAuthIdent", secret_take}};

static const struct member *member_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (strcmp(name, members[i].name) == 0)
            return &members[i];
    return NULL;
}

bool registries_has(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        if (strcmp(name, maps[i].name) == 0)
            return true;
    return member_find(name) != NULL;
}

static int entry_of(struct reading *g, enum place place, const char *name, unsigned line,
                    struct entry **ret_entry)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->entry[i].place == place && strcmp(g->entry[i].name, name) == 0) {
            *ret_entry = &g->entry[i];
            return 0;
        }
    if (g->n == ENTRIES_MAX)
        return wrong(g, line, name, "is one registry too many");
    if (strlen(name) > RC_KEY_MAX)
        return wrong(g, line, name, "is too long");
    struct entry *e = &g->entry[g->n++];
    *e = (struct entry){.place = place, .line = line};
    memcpy(e->name, name, strlen(name) + 1);
    *ret_entry = e;
    return 0;
}

static int left_out(struct reading *g, const struct doc_place *at)
{
    char key[WHERE_BYTES];
    if (!g->reader->left_out)
        return 0;
    snprintf(key, sizeof key, "%.40s.%.60s.%.40s", at->name[0], at->name[1], at->name[2]);
    return g->reader->left_out(g->reader->arg, key);
}

/* In one of the maps: MAP.NAME.MEMBER. */
static int member_read(struct reading *g, enum place place, const struct doc_place *at,
                       const char *text)
{
    struct entry *e = NULL;
    if (at->depth == 1 && !*text)
        return 0; /* an empty map, left out */
    if (at->depth != 3)
        return at->depth < 3 ? wrong(g, at->line, at->name[at->depth - 1], "is no map")
                             : left_out(g, at);
    const struct member *m = member_find(at->name[2]);
    bool is_allowed = m && !(place == AT_REGISTRY && m->take == server_take);
    if (!is_allowed)
        return left_out(g, at);
    int r = entry_of(g, place, at->name[1], at->line, &e);
    return r == 0 ? m->take(g, e, at, text) : r;
}

static int on_value(void *arg, const struct doc_place *at, const char *text)
{
    struct reading *g = arg;
    struct entry *e = NULL;
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        if (doc_is(at, 0, maps[i].name))
            return member_read(g, maps[i].place, at, text);
    const struct member *m = member_find(at->name[0]);
    if (!m)
        return 0;
    if (at->depth != 1)
        return wrong(g, at->line, at->name[0], "is no text");
    int r = entry_of(g, AT_TOP, "", at->line, &e);
    return r == 0 ? m->take(g, e, at, text) : r;
}

/* ---- telling ---- */

static const char *entry_name(const struct entry *e)
{
    return e->place == AT_TOP ? "npmRegistryServer" : e->name;
}

/* Keeps the line if the list takes it for what it is meant to be. */
static int line_keep(struct reading *g, const struct entry *e, enum rc_kind kind, const char *line)
{
    struct rc_row row;
    int r = registry_rc_read(span_str(line), &row);
    if (r == RC_SECRET)
        return secret(g, e->line, entry_name(e));
    if (r != 0 || row.kind != kind)
        return wrong(g, e->line, entry_name(e), "has a value that is not allowed");
    snprintf(g->line[g->lines++], LINE_BYTES, "%s=%s", row.key, row.value);
    return 0;
}

static int server_tell(struct reading *g, const struct entry *e)
{
    char line[LINE_BYTES];
    if (!*e->server)
        return 0;
    bool is_scope = e->place == AT_SCOPE;
    snprintf(line, sizeof line, "%s%s%sregistry=%s", is_scope ? "@" : "", is_scope ? e->name : "",
             is_scope ? ":" : "", e->server);
    return line_keep(g, e, RC_REGISTRY, line);
}

/* The registry that a token is for, or NULL. */
static const char *server_of(const struct reading *g, const struct entry *e)
{
    if (e->place == AT_REGISTRY)
        return e->name;
    if (*e->server)
        return e->server;
    for (size_t i = 0; i < g->n; i++)
        if (g->entry[i].place == AT_TOP && *g->entry[i].server)
            return g->entry[i].server;
    return NULL;
}

/* Two tokens for one registry would need Yarn's own rules to choose. */
static bool is_contradicted(const struct reading *g, const char *line)
{
    size_t key_n = strcspn(line, "=") + 1;
    for (size_t i = 0; i + 1 < g->lines; i++)
        if (strncmp(g->line[i], line, key_n) == 0 && strcmp(g->line[i], line) != 0)
            return true;
    return false;
}

static int token_tell(struct reading *g, const struct entry *e)
{
    char line[LINE_BYTES];
    const char *server = server_of(g, e);
    if (!e->has_token)
        return 0;
    if (!server)
        return wrong(g, e->line, entry_name(e),
                     "has an npmAuthToken, and nothing says for which npmRegistryServer");
    if (strncmp(server, "https:", 6) == 0)
        server += 6;
    if (strncmp(server, "//", 2) != 0)
        return wrong(g, e->line, entry_name(e), "is no https:// address");
    size_t n = strlen(server);
    while (n > 2 && server[n - 1] == '/')
        n--;
    snprintf(line, sizeof line, "%.*s/:_authToken=%s", (int)n, server, e->token);
    int r = line_keep(g, e, RC_TOKEN, line);
    if (r == 0 && is_contradicted(g, g->line[g->lines - 1]))
        return wrong(g, e->line, entry_name(e), "gives a registry a second token");
    return r;
}

static int told(struct reading *g)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < g->n; i++)
        r = server_tell(g, &g->entry[i]);
    for (size_t i = 0; r == 0 && i < g->n; i++)
        r = token_tell(g, &g->entry[i]);
    for (size_t i = 0; r == 0 && g->reader->line && i < g->lines; i++)
        r = g->reader->line(g->reader->arg, g->line[i]);
    return r;
}

/* Nothing but comments: no document, and no fault. */
static bool is_blank(const char *text, size_t n)
{
    for (const char *p = text, *end = text + n; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const char *line_end = stop ? stop : end;
        while (p < line_end && strchr(" \t\r", *p))
            p++;
        if (p < line_end && *p != '#')
            return false;
        p = line_end + 1;
    }
    return true;
}

int registries_read(const char *text, size_t n, const struct npmrc_reader *reader,
                    struct box_refusal *ret_refusal)
{
    AUTO_FREE struct reading *g = calloc(1, sizeof *g);
    if (!g)
        return err_raise(-ENOMEM);
    if (is_blank(text, n))
        return 0;
    g->reader = reader;
    g->refusal = ret_refusal;
    const struct doc_reader doc = {.value = on_value, .arg = g};
    int r = doc_read(file, text, n, &doc, ret_refusal);
    if (r == 0)
        r = told(g);
    return r < 0 ? err_pass(r) : r;
}

int registries_read_in(const char *folder, const struct npmrc_reader *reader,
                       struct box_refusal *ret_refusal)
{
    char path[PATH_BYTES];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    int r = file_read(path, REGISTRIES_BYTES_MAX, &text, &n);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? err_pass(r) : registries_read(text, n, reader, ret_refusal);
}
