/* registry_rc.h: one line of an app's .npmrc, held against the list of what an app may say there.
 *
 *   registry=https://HOST/PATH             @SCOPE:registry=https://HOST/PATH
 *   //HOST/PATH/:_authToken=${NAME}        NAME: a secret variable of the app
 *   legacy-peer-deps=true and such         settings that change which packages are installed
 *
 * The sandbox reads the app's file with it, the agent reads again what the sandbox said: neither
 * has to trust the other. Pure; any thread. */
#pragma once

#include "host.h"

#include <base/bytes.h>
#include <base/err.h>

enum { RC_KEY_MAX = 300, RC_VALUE_MAX = 300, RC_NAME_MAX = 64 };

enum rc_kind {
    RC_NOTHING,  /* a comment, an empty line */
    RC_LEFT_OUT, /* a setting that is none of our business: `key` names it */
    RC_SETTING,  /* `key` and `value` */
    RC_REGISTRY, /* `key`, `value` and `host`; of all packages, or of a scope */
    RC_TOKEN,    /* `key`, `host`, and `variable` in place of a value */
};

struct rc_row {
    enum rc_kind kind;
    char key[RC_KEY_MAX + 1], value[RC_VALUE_MAX + 1];
    struct host host;
    char variable[RC_NAME_MAX + 1];
};

/* Between the lines of an app's .npmrc and those out of its .yarnrc.yml, where both are told one
 * after the other. No line that this list lets through looks like it. */
#define RC_OF_YARN "[.yarnrc.yml]"

enum rc_outcome {
    RC_WRONG = 1, /* the value is none of this key; ret_row->key names it */
    RC_SECRET,    /* a secret in the clear, or of a kind that has no other form */
};

/* On RC_WRONG and RC_SECRET the key alone is set: no value ever gets into a message. */
MUST_USE int registry_rc_read(struct span line, struct rc_row *ret_row);
