/* verify.h: is the bundle in a folder the one that the holder of a key has signed? No network, no
 * broker. */
#pragma once

#include "errors.h"
#include "sign.h"

#include <jansson.h>

enum { VERIFY_TEXT_LEN = 255, VERIFY_FAULTS_MAX = 8 };

/* What was found. Faults are errors of the catalogue with their own words. */
struct verify_result {
    json_t *statement; /* as read; NULL when it is none. verify_deinit() drops it */
    struct statement facts;
    size_t checked; /* files whose size and hashes fit */
    size_t n_faults;
    struct {
        enum error_code code;
        char text[VERIFY_TEXT_LEN + 1];
    } fault[VERIFY_FAULTS_MAX];
};

/* 0: everything was looked at, n_faults says with which result. <0: a file could not be read;
 * `failed` (256 bytes) names it. */
MUST_USE int verify_folder(const char *dir, const uint8_t public_key[SIGN_PUBLIC_BYTES],
                           struct verify_result *ret_result, char *failed);
void verify_deinit(struct verify_result *result);
