/* facts.c: copies and cleans; knows no phase. */
#include "facts.h"

#include <assert.h>
#include <string.h>

static void text_set(char *to, size_t most, const char *from)
{
    size_t n = strnlen(from, most);
    memcpy(to, from, n);
    for (size_t i = 0; i < n; i++)
        if (to[i] < ' ' || to[i] > '~')
            to[i] = '?';
    to[n] = '\0';
}

static bool is_commit(const char *text)
{
    size_t n = strlen(text);
    return (n == 40 || n == 64) && strspn(text, "0123456789abcdef") == n;
}

void facts_source_set(struct facts *f, const char *uri, const char *commit)
{
    text_set(f->source_uri, FACTS_URI_MAX, uri);
    text_set(f->source_commit, FACTS_COMMIT_MAX, is_commit(commit) ? commit : "");
}

void facts_lockfile_set(struct facts *f, const char *name, const uint8_t sha256[FACTS_HASH_BYTES])
{
    text_set(f->lockfile, FACTS_NAME_MAX, name);
    memcpy(f->lockfile_sha256, sha256, FACTS_HASH_BYTES);
}

/* The tool of this name, or a new one; NULL: no room. */
static struct facts_tool *tool_find(struct facts *f, const char *name)
{
    char clean[FACTS_NAME_MAX + 1];
    text_set(clean, FACTS_NAME_MAX, name);
    for (size_t i = 0; i < f->tools; i++)
        if (!strcmp(f->tool[i].name, clean))
            return &f->tool[i];
    if (f->tools == FACTS_TOOLS_MAX)
        return NULL;
    struct facts_tool *tool = &f->tool[f->tools++];
    memcpy(tool->name, clean, sizeof clean);
    return tool;
}

int facts_tool_add(struct facts *f, const char *name, const char *version,
                   const uint8_t sha256[FACTS_HASH_BYTES])
{
    assert(*name);
    struct facts_tool *tool = tool_find(f, name);
    if (!tool)
        return FACTS_FULL;
    text_set(tool->version, FACTS_NAME_MAX, version);
    tool->has_sha256 = sha256 != NULL;
    if (sha256)
        memcpy(tool->sha256, sha256, FACTS_HASH_BYTES);
    return 0;
}
