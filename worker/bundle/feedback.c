/* feedback.c: one handler for each `type`, found in a table. */
#include "feedback.h"

#include <base/auto.h>
#include <base/clock.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <text.h>

enum { PROGRESS_A_SECOND = 100 };

/* Our own programs write a progress line like this; one that is written otherwise counts among the
 * others. */
static const char progress_mark[] = "{\"type\":\"progress\"";

/* Told before the line is parsed, or a flood would cost the agent a processor. */
static bool is_flood(struct feedback *r, const char *text)
{
    if (strncmp(text, progress_mark, sizeof progress_mark - 1) != 0)
        return r->lines >= FEEDBACK_LINES_MAX || (r->lines++, false);
    uint64_t now_ms = clock_boot_ms();
    if (now_ms - r->window_ms >= 1000) {
        r->window_ms = now_ms;
        r->in_window = 0;
    }
    return r->in_window >= PROGRESS_A_SECOND || (r->in_window++, false);
}

static void text_member(json_t *line, const char *name, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(line, name));
    text_clean(text ? text : "", to, size);
}

static uint32_t number_member(json_t *line, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(line, name));
    return n > 0 && n < INT32_MAX ? (uint32_t)n : 0;
}

static void on_progress(struct feedback *r, json_t *line)
{
    double share = json_number_value(json_object_get(line, "share"));
    char message[64];
    snprintf(message, sizeof message, "%u of %u modules", number_member(line, "done"),
             number_member(line, "total"));
    if (share >= 0 && share <= 1)
        r->progress(r->arg, share, message);
}

/* Only a place in the app's own tree: it becomes a command of the next sandbox. */
static void path_member(json_t *line, const char *name, char to[FEEDBACK_PATH_MAX + 1])
{
    static const char below[] = "/w/app/";
    text_member(line, name, to, FEEDBACK_PATH_MAX + 1);
    if (strncmp(to, below, sizeof below - 1) != 0 || strstr(to, "/../"))
        to[0] = 0;
}

/* The first line is the driver's own: it is said before any of the app's code runs. */
static void on_tools(struct feedback *r, json_t *line)
{
    if (r->hermesc[0] || r->compose[0])
        return;
    path_member(line, "hermesc", r->hermesc);
    path_member(line, "compose", r->compose);
    json_t *versions = json_object_get(line, "versions");
    text_member(versions, "react-native", r->react_native, sizeof r->react_native);
    text_member(versions, "metro", r->metro, sizeof r->metro);
    text_member(versions, "hermesc", r->hermesc_version, sizeof r->hermesc_version);
}

static void on_tree(struct feedback *r, json_t *line)
{
    const char *path = json_string_value(json_object_get(line, "path"));
    if (path && r->tree)
        r->tree(r->arg, path);
}

/* Stays all zero when the text is no hash. */
static void hash_member(json_t *line, const char *name, uint8_t to[32])
{
    const char *hex = json_string_value(json_object_get(line, name));
    size_t n = 0;
    if (!hex || strlen(hex) != 64 || sodium_hex2bin(to, 32, hex, 64, NULL, &n, NULL) != 0)
        sodium_memzero(to, 32);
}

static void on_verified(struct feedback *r, json_t *line)
{
    text_member(line, "manager", r->manager, sizeof r->manager);
    text_member(line, "program", r->program, sizeof r->program);
    text_member(line, "lockfile", r->lockfile, sizeof r->lockfile);
    text_member(line, "root", r->root, sizeof r->root);
    hash_member(line, "lockfile_sha256", r->lockfile_sha256);
    hash_member(line, "deps_sha256", r->deps_sha256);
    r->unpinned = number_member(line, "unpinned");
    r->left_out = number_member(line, "left_out");
}

static void on_done(struct feedback *r, json_t *line)
{
    r->is_done = true;
    on_verified(r, line);
    r->packages = number_member(line, "packages");
    r->modules = number_member(line, "modules");
    r->entries = number_member(line, "entries");
    r->skipped = number_member(line, "skipped");
    r->assets = number_member(line, "assets");
    text_member(line, "engines", r->engines, sizeof r->engines);
    r->aside = number_member(line, "aside");
    text_member(line, "commit", r->commit, sizeof r->commit);
    r->has_submodules = json_is_true(json_object_get(line, "submodules"));
    json_int_t bytes = json_integer_value(json_object_get(line, "bytes"));
    r->bytes = bytes > 0 ? (uint64_t)bytes : 0;
}

static void on_rc(struct feedback *r, json_t *line)
{
    const char *text = json_string_value(json_object_get(line, "line"));
    if (r->rc && text)
        r->rc(r->arg, text);
}

/* What the programs in a sandbox may say of the app. None of these is tried again. */
static const enum error_code believed[] = {
    E_ARCHIVE_INVALID,  E_ARCHIVE_UNSAFE,   E_ARCHIVE_TOO_LARGE,    E_PACKAGE_JSON_INVALID,
    E_MANAGER_UNKNOWN,  E_MANAGER_SETTING,  E_PACKAGE_NEEDS_SCRIPT, E_LOCKFILE_AMBIGUOUS,
    E_LOCKFILE_MISSING, E_LOCKFILE_INVALID, E_LOCKFILE_SOURCE,      E_LOCKFILE_INTEGRITY,
    E_NPMRC_INVALID,    E_NPMRC_SECRET,     E_GIT_REFUSED,          E_INSTALL_FAILED,
    E_ENTRY_MISSING,    E_METRO_CONFIG,     E_BUNDLE_SYNTAX,        E_BUNDLE_RESOLVE,
    E_BUNDLE_FAILED,    E_HERMES_MISSING,   E_WORKSPACE_FULL,
};

static bool is_believed(enum error_code code)
{
    for (size_t i = 0; i < ARRAY_LEN(believed); i++)
        if (believed[i] == code)
            return true;
    return false;
}

static void on_error(struct feedback *r, json_t *line)
{
    if (r->error != E_OK)
        return; /* the first one is the cause */
    const char *name = json_string_value(json_object_get(line, "name"));
    enum error_code code = name ? error_by_name(name) : E_OK;
    r->error = is_believed(code) ? code : E_BUNDLE_FAILED;
    text_member(line, "text", r->text, sizeof r->text);
    text_member(line, "file", r->file, sizeof r->file);
    r->line = number_member(line, "line");
    r->column = number_member(line, "column");
}

static const struct {
    const char *type;
    void (*read)(struct feedback *r, json_t *line);
} handlers[] = {
    {"progress", on_progress}, {"tools", on_tools}, {"tree", on_tree},
    {"npmrc", on_rc},          {"done", on_done},   {"error", on_error},
};

void feedback_line(struct feedback *r, const char *text, size_t n, bool is_cut)
{
    if (is_cut || is_flood(r, text))
        return;
    json_t *line = json_loadb(text, n, 0, NULL);
    const char *type = json_string_value(json_object_get(line, "type"));
    for (size_t i = 0; type && i < ARRAY_LEN(handlers); i++)
        if (strcmp(type, handlers[i].type) == 0)
            handlers[i].read(r, line);
    json_decref(line);
}
