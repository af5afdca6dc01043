/* npmrc.h: the little of the operator's npm configuration that an install in a sandbox needs.
 *
 * Read through `npm config get`, which knows global, user and environment settings, and written as
 * a fresh text: nothing but the settings of the table in npmrc.c gets through, and no value with a
 * user part in its URL, so no token or password ever reaches a build. Main thread, at start. */
#pragma once

#include <base/err.h>
#include <stdbool.h>

/* Where an install finds the way out (proxy.h): the operator's own proxy is asked behind it. */
#define NPMRC_PROXY_PORT "3128"
#define NPMRC_PROXY_URL  "http://127.0.0.1:" NPMRC_PROXY_PORT

enum { NPMRC_TEXT_MAX = 4096, NPMRC_PATH_MAX = 512 };

struct npmrc {
    char text[NPMRC_TEXT_MAX];
    char cafile[NPMRC_PATH_MAX];   /* on the host; empty: none. In the text it is /net/cafile */
    char registry[NPMRC_PATH_MAX]; /* a URL; it stands in the text as well */
    /* For the agent's own proxy, which an install goes through; never in the text. `proxy` may have
     * a user part. */
    char proxy[NPMRC_PATH_MAX], noproxy[NPMRC_PATH_MAX];
    bool hides_proxy; /* there is one with a password, which npm does not tell */
};

enum npmrc_outcome { NPMRC_UNREADABLE = 1 };

/* `node` is the program, `npm` npm's folder. */
MUST_USE int npmrc_read(const char *node, const char *npm, struct npmrc *ret_rc);

/* The same out of the text that npm printed ("key=value" lines). Pure. */
MUST_USE int npmrc_write(const char *printed, struct npmrc *ret_rc);
