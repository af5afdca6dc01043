/* step_net.c: lists of hosts and texts of files, put together anew for each run, and wiped. */
#include "step_net.h"

#include "app_rc.h"
#include "yarnrc.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { HOSTS_MAX = HOST_LIST_MAX + 1, GITCONFIG_MAX = 4096, PAIR_MAX = 1024 };

struct files {
    char npmrc[NPMRC_TEXT_MAX + APP_RC_TEXT_MAX + 2];
    char yarnrc[NPMRC_TEXT_MAX + 2 * APP_RC_TEXT_MAX];
    char gitconfig[GITCONFIG_MAX];
};

static struct files *files_free(struct files *f)
{
    if (f)
        sodium_memzero(f, sizeof *f);
    free(f);
    return NULL;
}
DEFINE_FREEP(files)

const char *step_net_secret(const struct work *w, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < w->build->vars; i++) {
        const struct build_var *var = &w->build->var[i];
        if (strncmp(var->text, name, n) == 0 && var->text[n] == '=')
            return var->text + n + 1;
    }
    return NULL;
}

static bool is_git(const struct step *step)
{
    return step == &steps[STEP_CLONE];
}

/* ---- hosts ---- */

static void host_add(const struct work *w, const struct host *h, struct proxy_spec *spec,
                     struct proxy_host hosts[HOSTS_MAX])
{
    const struct routes *routes = &w->setup->routes;
    if (h->port == 0 || spec->hosts == HOSTS_MAX)
        return;
    hosts[spec->hosts++] = (struct proxy_host){.host = *h,
                                               .reach = routes_reach(routes, h),
                                               .is_plain = routes->registry_is_plain &&
                                                           host_equal(h, &routes->registry)};
}

static void hosts_add(const struct work *w, const struct step *step, struct proxy_spec *spec,
                      struct proxy_host hosts[HOSTS_MAX])
{
    const struct host *own = &w->setup->routes.registry;
    if (is_git(step)) {
        host_add(w, &w->git_host, spec, hosts);
        return;
    }
    host_add(w, own, spec, hosts);
    for (size_t i = 0; w->rc && i < w->rc->hosts.n; i++)
        if (!host_equal(&w->rc->hosts.host[i], own))
            host_add(w, &w->rc->hosts.host[i], spec, hosts);
}

/* ---- files ---- */

/* What a token is sent as; most hosts take any name. */
static const struct {
    const char *host, *user;
} token_users[] = {
    {"github.com", "x-access-token"}, {"gitlab.com", "oauth2"}, {"bitbucket.org", "x-token-auth"}};

static const char *token_user(const struct work *w)
{
    const char *told = step_net_secret(w, "ROTA_GIT_USER");
    if (told && *told)
        return told;
    for (size_t i = 0; i < ARRAY_LEN(token_users); i++)
        if (strcmp(w->git_host.name, token_users[i].host) == 0)
            return token_users[i].user;
    return strncmp(w->git_host.name, "gitlab.", 7) == 0 ? "oauth2" : "git";
}

static int gitconfig_write(const struct work *w, struct files *f)
{
    static const char frame[] =
        "[init]\n\tdefaultBranch = main\n[http]\n\tfollowRedirects = initial\n";
    const char *token = step_net_secret(w, "ROTA_GIT_TOKEN");
    char pair[PAIR_MAX], coded[2 * PAIR_MAX];
    snprintf(f->gitconfig, sizeof f->gitconfig, "%s", frame);
    if (!token || !*token)
        return 0;
    int n = snprintf(pair, sizeof pair, "%s:%s", token_user(w), token);
    bool fits = n > 0 && (size_t)n < sizeof pair;
    if (fits) {
        sodium_bin2base64(coded, sizeof coded, (const unsigned char *)pair, (size_t)n,
                          sodium_base64_VARIANT_ORIGINAL);
        snprintf(f->gitconfig, sizeof f->gitconfig,
                 "%s[http \"https://%s:%u/\"]\n\textraHeader = Authorization: Basic %s\n", frame,
                 w->git_host.name, (unsigned)w->git_host.port, coded);
    }
    sodium_memzero(pair, sizeof pair);
    sodium_memzero(coded, sizeof coded);
    return fits ? 0 : err_raise(-E2BIG);
}

static int files_write(const struct work *w, const struct step *step, struct files *f,
                       struct proxy_spec *spec)
{
    if (is_git(step)) {
        int r = gitconfig_write(w, f);
        spec->file[spec->files].name = "gitconfig";
        spec->file[spec->files++].text = f->gitconfig;
        return r < 0 ? err_pass(r) : 0;
    }
    snprintf(f->npmrc, sizeof f->npmrc, "%s%s", w->setup->tools.rc.text, w->rc ? w->rc->text : "");
    spec->file[spec->files].name = "npmrc";
    spec->file[spec->files++].text = f->npmrc;
    if (step != &steps[STEP_INSTALL_BERRY])
        return 0;
    spec->file[spec->files].name = ".yarnrc.yml";
    spec->file[spec->files++].text = f->yarnrc;
    return yarnrc_write(f->npmrc, strcmp(w->manager->name, "yarn-3") == 0, f->yarnrc,
                        sizeof f->yarnrc);
}

/* ---- around the step ---- */

int step_net_open(struct work *w, const struct step *step, struct proxy **ret_proxy)
{
    struct proxy_host hosts[HOSTS_MAX];
    const struct routes *routes = &w->setup->routes;
    AUTO(files) files = calloc(1, sizeof *files);
    w->refused[0] = 0;
    w->away[0] = 0;
    if (!files)
        return err_raise(-ENOMEM);
    if (!step->has_net)
        return 0;
    struct proxy_spec spec = {.tools = &w->setup->tools,
                              .cgroups = &w->setup->cgroups,
                              .limits = &w->limits,
                              .base = w->setup->root.path,
                              .name = w->name,
                              .host = hosts,
                              .upstream = routes->upstream,
                              .noproxy = routes->noproxy};
    hosts_add(w, step, &spec, hosts);
    int r = files_write(w, step, files, &spec);
    if (r == 0)
        r = proxy_start(&spec, ret_proxy);
    return r < 0 ? err_pass(r) : 0;
}

void step_net_close(struct work *w, const struct step *step, struct proxy *proxy)
{
    if (!proxy)
        return;
    const struct proxy_report *report = proxy_stop(proxy);
    for (size_t i = 0; i < report->lines; i++)
        work_say(w, "proxy: %s, asked by %s", report->line[i], step->name);
    snprintf(w->refused, sizeof w->refused, "%s", report->refused);
    snprintf(w->away, sizeof w->away, "%s", report->away);
    proxy_free(proxy);
}

void step_net_explain(struct work *w, const struct step *step)
{
    bool is_general =
        w->result->error == step->failure || w->result->error == E_REGISTRY_UNREACHABLE;
    if (!step->has_net || is_git(step) || !is_general)
        return;
    if (w->refused[0])
        build_fail(w->result, E_REGISTRY_NOT_ALLOWED,
                   "%s asked for %s, which this build may not reach", step->name, w->refused);
    else if (w->away[0])
        build_fail(w->result, E_REGISTRY_UNREACHABLE, "%s: no way to %s", step->name, w->away);
}
