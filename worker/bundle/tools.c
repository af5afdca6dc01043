/* tools.c: looks each tool up, then binds it below the base tmpfs.
 *
 * They are bound and not used in place because a sandbox runs as another user, who may not walk
 * into the home folder that a tool lies in, and because a fixed place inside keeps the host's paths
 * out of builds. */
#include "tools.h"

#include "npmrc.h"

#include <base/file.h>
#include <child.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static const char passwd_text[] = "nobody:x:65534:65534:nobody:/w/home:/usr/sbin/nologin\n";
static const char group_text[] = "nogroup:x:65534:\n";

__attribute__((format(printf, 2, 3))) static int missing(char why[TOOLS_WHY_MAX],
                                                         const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, TOOLS_WHY_MAX, format, ap);
    va_end(ap);
    return TOOLS_MISSING;
}

struct said {
    char text[64];
    size_t n;
};

static void said_add(void *arg, const void *p, size_t n)
{
    struct said *s = arg;
    for (size_t i = 0; i < n && s->n + 1 < sizeof s->text; i++)
        s->text[s->n++] = ((const char *)p)[i];
}

static int node_check(const char *node, char version[32], char why[TOOLS_WHY_MAX])
{
    struct said said = {0};
    const char *const argv[] = {node, "--version", NULL}, *const env[] = {NULL};
    struct child_spec spec = {
        .argv = argv, .env = env, .stop_fd = -1, .output = said_add, .arg = &said};
    struct child_end end;
    int r = child_run(&spec, &end);
    if (r < 0)
        return err_pass(r);
    unsigned major = 0, minor = 0;
    if (r != 0 || end.status != 0 || sscanf(said.text, "v%u.%u", &major, &minor) != 2)
        return missing(why, "%s does not run: set ROTA_NODE to a working Node", node);
    snprintf(version, 32, "%.*s", (int)strcspn(said.text, "\n"), said.text);
    if (major < NODE_MAJOR_MIN || (major == NODE_MAJOR_MIN && minor < NODE_MINOR_MIN))
        return missing(why,
                       "Node %s is too old: set ROTA_NODE to %d.%d or newer (scripts/setup "
                       "brings one)",
                       version, NODE_MAJOR_MIN, NODE_MINOR_MIN);
    return 0;
}

/* ---- bringing things into the folders ---- */

static int place_make(const char *what, const char *place)
{
    struct stat st;
    if (stat(what, &st) < 0)
        return err_raise(-errno);
    if (S_ISDIR(st.st_mode))
        return mkdir(place, 0755) < 0 ? err_raise(-errno) : 0;
    AUTO_FD fd = open(place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? err_raise(-errno) : 0;
}

static int bind_to(const char *what, const char *folder, const char *name)
{
    char place[TOOL_PATH_MAX + 64];
    snprintf(place, sizeof place, "%s/%s", folder, name);
    int r = place_make(what, place);
    if (r < 0)
        return err_pass(r);
    return mount(what, place, NULL, MS_BIND | MS_REC, NULL) < 0 ? err_raise(-errno) : 0;
}

static int text_to(const char *text, const char *folder, const char *name)
{
    char place[TOOL_PATH_MAX + 64];
    snprintf(place, sizeof place, "%s/%s", folder, name);
    return file_write(place, 0644, text, strlen(text));
}

/* Debian's npm finds its parts in /usr/share/nodejs, so that one must be used in place. */
static int npm_bind(struct tools *t, const char *npm)
{
    static const char debian[] = "/usr/share/nodejs/";
    bool is_in_place = strncmp(npm, debian, sizeof debian - 1) == 0;
    snprintf(t->npm_cli, sizeof t->npm_cli, "%.480s/bin/npm-cli.js",
             is_in_place ? npm : "/rota/npm");
    return is_in_place ? 0 : bind_to(npm, t->always, "npm");
}

static int parts_bind(struct tools *t, const char *parts)
{
    char path[TOOL_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/box/rota-box", parts);
    int r = bind_to(path, t->always, "box");
    snprintf(path, sizeof path, "%s/js", parts);
    return r < 0 ? err_pass(r) : bind_to(path, t->always, "js");
}

static int folder_make(const struct space_root *root, const char *name, char ret[TOOL_PATH_MAX])
{
    if (snprintf(ret, TOOL_PATH_MAX, "%.480s/%s", root->path, name) >= TOOL_PATH_MAX)
        return err_raise(-ENAMETOOLONG);
    return dir_make(ret, 0755);
}

static int small_files(const struct tools *t)
{
    char none[TOOL_PATH_MAX + 8];
    snprintf(none, sizeof none, "%s/none", t->always);
    int r = dir_make(none, 0755);
    if (r == 0)
        r = text_to(passwd_text, t->always, "passwd");
    if (r == 0)
        r = text_to(group_text, t->always, "group");
    return r < 0 ? err_pass(r) : 0;
}

static int net_fill(struct tools *t, const char *node, const char *npm, char why[TOOLS_WHY_MAX])
{
    struct npmrc rc;
    int r = npmrc_read(node, npm, &rc);
    if (r == NPMRC_UNREADABLE)
        return missing(why, "`npm config get` failed: does %s belong to %s?", npm, node);
    if (r < 0)
        return err_pass(r);
    r = text_to(rc.text, t->net, "npmrc");
    if (r == 0 && rc.cafile[0])
        r = bind_to(rc.cafile, t->net, "cafile");
    const char *extra = getenv("NODE_EXTRA_CA_CERTS");
    t->has_extra_ca = extra && *extra == '/' && access(extra, R_OK) == 0;
    if (r == 0 && t->has_extra_ca)
        r = bind_to(extra, t->net, "extra-ca");
    return r < 0 ? err_pass(r) : 0;
}

static int fill(const struct space_root *root, struct tools *t, const char *node, const char *npm,
                const char *parts)
{
    int r = folder_make(root, "tools", t->always);
    if (r == 0)
        r = folder_make(root, "net", t->net);
    if (r == 0)
        r = small_files(t);
    if (r == 0)
        r = bind_to(node, t->always, "node");
    if (r == 0)
        r = npm_bind(t, npm);
    if (r == 0)
        r = parts_bind(t, parts);
    return r < 0 ? err_pass(r) : 0;
}

/* Root's sandboxes run as nobody on the host, too: root's files would else be theirs to read. */
static void owner_choose(const struct space_root *root, struct tools *t)
{
    t->owner = geteuid();
    t->setpriv[0] = 0;
    if (t->owner == 0 && !root->has_user_namespace && path_search("setpriv", t->setpriv))
        t->owner = NOBODY;
}

int tools_find(const struct space_root *root, struct tools *ret_tools, char why[TOOLS_WHY_MAX])
{
    struct tools t = {0};
    char node[TOOL_PATH_MAX], npm[TOOL_PATH_MAX], parts[TOOL_PATH_MAX];
    if (!path_search("bwrap", t.bwrap))
        return missing(why, "bwrap is not in PATH: install bubblewrap");
    if (!node_find(node))
        return missing(why, "no Node: set ROTA_NODE or put node into PATH");
    if (!npm_find(node, npm))
        return missing(why, "no npm beside %s or in PATH: install it with Node", node);
    if (!parts_find(parts))
        return missing(why, "box/rota-box lies neither beside this program nor in ../libexec/rota");
    int r = node_check(node, t.node_version, why);
    if (r == 0)
        r = fill(root, &t, node, npm, parts);
    if (r == 0)
        r = net_fill(&t, node, npm, why);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    owner_choose(root, &t);
    *ret_tools = t;
    return 0;
}
