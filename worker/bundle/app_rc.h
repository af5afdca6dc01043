/* app_rc.h: what an app's own .npmrc adds to its install: registries that the operator allows,
 * tokens for them out of the app's secrets, and settings of the list in proto/registry_rc.c. For
 * Yarn 2 and later its .yarnrc.yml does the same, told in lines of the same form, and has the last
 * word.
 *
 * The text has tokens in the clear: it goes into the /net folder of an install and nowhere else,
 * and app_rc_free() wipes it. One thread, the slot's. */
#pragma once

#include "host.h"

#include <base/auto.h>
#include <base/err.h>
#include <runner.h>
#include <stdbool.h>

struct routes;

enum { APP_RC_TEXT_MAX = 16 * 1024 };

struct app_rc {
    char text[APP_RC_TEXT_MAX + 1]; /* lines of npm's form, to stand behind the operator's */
    size_t n;
    struct host_list hosts; /* of registries, each once */
    bool has_token;
    bool is_of_yarn;     /* the lines that come now are out of .yarnrc.yml */
    bool is_yarn_unread; /* the app's manager is another: those lines do not count */
};

enum app_rc_outcome { APP_RC_REFUSED = 1 };

/* The file that lines come from now, for messages. */
const char *app_rc_file(const struct app_rc *rc);

/* One line of the file, or RC_OF_YARN. APP_RC_REFUSED: the result has the error. */
MUST_USE int app_rc_add(struct app_rc *rc, const char *line, const struct routes *routes,
                        const struct build *b, struct build_result *result);

struct app_rc *app_rc_free(struct app_rc *rc);
DEFINE_FREEP(app_rc)
