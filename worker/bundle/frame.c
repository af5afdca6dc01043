/* frame.c: what a sandbox sees is bound and not used in place, because it runs as another user, who
 * may not walk into the home folder that a tool lies in, and because a fixed place inside keeps the
 * host's paths out of builds. */
#include "frame.h"

#include "sandbox.h"
#include "verdict.h"
#include "words.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static const char passwd_text[] = "nobody:x:65534:65534:nobody:/w/home:/usr/sbin/nologin\n";
static const char group_text[] = "nogroup:x:65534:\n";

int frame_missing(char why[TOOLS_WHY_MAX], const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, TOOLS_WHY_MAX, format, ap);
    va_end(ap);
    return TOOLS_MISSING;
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

int frame_bind(const char *what, const char *folder, const char *name)
{
    char place[TOOL_PATH_MAX + 64];
    snprintf(place, sizeof place, "%s/%s", folder, name);
    int r = place_make(what, place);
    if (r < 0)
        return err_pass(r);
    return mount(what, place, NULL, MS_BIND | MS_REC, NULL) < 0 ? err_raise(-errno) : 0;
}

int frame_text(const char *text, const char *folder, const char *name)
{
    char place[TOOL_PATH_MAX + 64];
    snprintf(place, sizeof place, "%s/%s", folder, name);
    return file_write(place, 0644, text, strlen(text));
}

int frame_folder(const struct space_root *root, const char *name, char ret[TOOL_PATH_MAX])
{
    if (snprintf(ret, TOOL_PATH_MAX, "%.480s/%s", root->path, name) >= TOOL_PATH_MAX)
        return err_raise(-ENAMETOOLONG);
    return dir_make(ret, 0755);
}

/* ---- the frame ---- */

static int small_files(const struct tools *t)
{
    char none[TOOL_PATH_MAX + 8];
    snprintf(none, sizeof none, "%s/none", t->always);
    int r = dir_make(none, 0755);
    if (r == 0)
        r = frame_text(passwd_text, t->always, "passwd");
    if (r == 0)
        r = frame_text(group_text, t->always, "group");
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

int frame_make(const struct space_root *root, struct tools *t, char why[TOOLS_WHY_MAX])
{
    char parts[TOOL_PATH_MAX], box[TOOL_PATH_MAX + 32];
    if (!path_search("bwrap", t->bwrap))
        return frame_missing(why, "bwrap is not in PATH: install bubblewrap");
    if (!parts_find(parts))
        return frame_missing(
            why, "box/rota-box lies neither beside this program nor in ../libexec/rota");
    snprintf(box, sizeof box, "%s/box/rota-box", parts);
    int r = frame_folder(root, "tools", t->always);
    if (r == 0)
        r = small_files(t);
    if (r == 0)
        r = frame_bind(box, t->always, "box");
    if (r < 0)
        return err_pass(r);
    owner_choose(root, t);
    return 0;
}

/* ---- does it work here? ---- */

static void probe_output(void *arg, const void *p, size_t n)
{
    words_add(arg, p, n);
}

static void probe_word(void *arg, const char *line, size_t n)
{
    (void)arg; /* what was said last stays in the tail, and that is all we want */
    (void)line;
    (void)n;
}

static int probe(const struct tools *t, struct words *said)
{
    static const struct cgroups no_groups = {.kind = CGROUP_NONE};
    struct limits limits = limits_of(NULL, 0);
    struct sandbox_run run = {.tools = t,
                              .step = &steps[STEP_PROBE],
                              .limits = &limits,
                              .cgroups = &no_groups,
                              .source_fd = -1,
                              .stop_fd = -1,
                              .output = probe_output,
                              .arg = said};
    int status = -1;
    words_begin(said);
    int r = sandbox_step(&run, &status);
    words_end(said);
    return r < 0 ? err_pass(r) : r == 0 && status == 0 ? 0 : SANDBOX_BROKEN;
}

int frame_probe(struct tools *t, char why[TOOLS_WHY_MAX])
{
    struct words words = {.line = probe_word};
    char gist[200];
    int r = probe(t, &words);
    if (r == SANDBOX_BROKEN && t->setpriv[0]) {
        t->setpriv[0] = 0;
        t->owner = geteuid();
        r = probe(t, &words);
    }
    if (r <= 0)
        return r < 0 ? err_pass(r) : 0;
    verdict_gist(words.tail, gist, sizeof gist);
    return frame_missing(
        why,
        "bubblewrap cannot make a sandbox here (%s): run as root outside a chroot, "
        "or allow user namespaces",
        gist);
}
