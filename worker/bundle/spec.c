/* spec.c: a table of members. A member that is not in it is refused: a build that quietly did
 * something else than was asked for would be found out on people's phones. */
#include "spec.h"

#include <base/auto.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One name of a path, of `n` bytes, that is no way out. */
static bool is_part(const char *p, size_t n)
{
    return n > 0 && !(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.');
}

/* Below the source: relative, no ".." and nothing that a shell or a log would stumble over. */
static bool is_path(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == '\\' || *p == 0x7f)
            return false;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, "/");
        if (!is_part(p, n))
            return false;
        p += n;
        if (!*p)
            return *text != '-';
    }
}

static bool is_folder(const char *text)
{
    return strcmp(text, ".") == 0 || is_path(text);
}

/* "20", "22.13", "22.13.0" */
static bool is_version(const char *text)
{
    for (unsigned parts = 1; parts <= 3; parts++) {
        size_t n = strspn(text, "0123456789");
        if (n == 0 || n > 4)
            return false;
        text += n;
        if (*text != '.')
            return !*text;
        text++;
    }
    return false;
}

static const struct member {
    const char *name;
    size_t at, max; /* in struct spec */
    bool (*fits)(const char *text);
    const char *form;
} members[] = {
    {"root", offsetof(struct spec, root), SPEC_PATH_MAX, is_folder,
     "a folder below the source, without .."},
    {"entry", offsetof(struct spec, entry), SPEC_PATH_MAX, is_path,
     "a file below the app's folder, without .."},
    {"node", offsetof(struct spec, node), SPEC_NODE_MAX, is_version,
     "a version, as in 20 or 22.13"},
};

static const struct member *member_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static int member_read(const char *name, const json_t *value, struct spec *spec,
                       char why[SPEC_WHY_MAX])
{
    const struct member *m = member_find(name);
    const char *text = json_string_value(value);
    if (!m) {
        snprintf(why, SPEC_WHY_MAX, "`%.80s` is no member of a bundle's spec: root, entry, node",
                 name);
        return SPEC_REFUSED;
    }
    size_t n = json_string_length(value);
    if (!text || strlen(text) != n || n > m->max || !m->fits(text)) {
        snprintf(why, SPEC_WHY_MAX, "`%s` must be a text: %s", m->name, m->form);
        return SPEC_REFUSED;
    }
    memcpy((char *)spec + m->at, text, n + 1);
    return 0;
}

static int object_read(json_t *object, struct spec *spec, char why[SPEC_WHY_MAX])
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        snprintf(why, SPEC_WHY_MAX, "the spec is no JSON object");
        return SPEC_REFUSED;
    }
    json_object_foreach(object, name, value)
    {
        int r = member_read(name, value, spec, why);
        if (r != 0)
            return r;
    }
    return 0;
}

int spec_parse(const void *p, size_t n, struct spec *ret_spec, char why[SPEC_WHY_MAX])
{
    struct spec spec = {.root = "."};
    json_t *object = n ? json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL) : json_object();
    int r = object_read(object, &spec, why);
    json_decref(object);
    if (r == 0)
        *ret_spec = spec;
    return r;
}
