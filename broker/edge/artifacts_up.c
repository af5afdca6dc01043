/* artifacts_up.c: a folder of its own in DATA belongs to the environment whatever stands in it; any
 * other place must say by its marker whose it is. */
#include "edge/artifacts_up.h"

#include <base/exit.h>
#include <base/log.h>
#include <stdio.h>
#include <string.h>

static int refuse_environment(const struct edge *edge, const char *where)
{
    const char *owner = artifacts_owner();
    if (*owner)
        log_error(
            "start.refused",
            "error=ENVIRONMENT_MISMATCH why=\"the artifacts in %s belong to environment %s, not "
            "to %s\" hint=\"check --artifacts and --data: they must belong together\"",
            where, owner, edge->environment);
    else
        log_error(
            "start.refused",
            "error=ENVIRONMENT_MISMATCH why=\"%s holds objects and does not say whose\" "
            "hint=\"choose an empty place, or, when they are this environment's, write its name "
            "(%s) into an object rota-environment there\"",
            where, edge->environment);
    return EXIT_CONFIG;
}

static int open_s3(struct edge *edge)
{
    const struct settings *s = edge->settings;
    struct artifacts_s3_config config = {.url = s->artifacts,
                                         .endpoint = s->s3_endpoint,
                                         .region = s->s3_region,
                                         .credentials = s->s3_credentials,
                                         .environment = edge->environment};
    if (!s->s3_endpoint || !s->s3_credentials) {
        log_error("start.refused", "why=\"a bucket needs an endpoint and credentials\" "
                                   "hint=\"--s3-endpoint URL and --s3-credentials PLACE\"");
        return ARTIFACTS_MISMATCH;
    }
    return artifacts_open_s3(&config, &edge->artifacts);
}

int artifacts_up(struct edge *edge)
{
    const struct settings *s = edge->settings;
    char own[PATH_MAX], why[300];
    const char *where = s->artifacts ? s->artifacts : own;
    snprintf(own, sizeof own, "%s/artifacts", s->data);
    int r = strncmp(where, "s3://", 5) == 0
                ? open_s3(edge)
                : artifacts_open_local(where, edge->environment, where == own, &edge->artifacts);
    if (r == ARTIFACTS_ENVIRONMENT)
        return refuse_environment(edge, where);
    if (r > 0)
        return EXIT_CONFIG;
    if (r < 0) {
        log_error("start.failed", "what=\"open the artifact store\" why=\"%s\"",
                  err_trace(why, sizeof why));
        return EXIT_IO;
    }
    return EXIT_OK;
}
