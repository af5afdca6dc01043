/* verify.h: is what a folder holds what the holders of trusted keys have signed? No network, no
 * broker.
 *
 * Looked at are the statement about the bundle and its signature, the provenance's envelope and its
 * signature, whether the two tell of one build, and every file that artifacts.json lists: those
 * that are public (bundle, assets) against the signed hashes. */
#pragma once

#include "errors.h"
#include "sign.h"

#include <jansson.h>
#include <stdbool.h>

enum {
    VERIFY_TEXT_LEN = 511,
    VERIFY_NAME_LEN = 15,
    VERIFY_FAULTS_MAX = 16,
    VERIFY_CHECKS_MAX = 32,
    VERIFY_FAILED_MAX = 256
};

struct trusted_key {
    uint8_t public[SIGN_PUBLIC_BYTES];
    char id[SIGN_KEY_ID_LEN + 1];
};

struct verify_order {
    const char *dir;
    const struct trusted_key *keys;
    size_t keys_n;
    bool may_lack_provenance;
};

/* One thing that was looked at. */
struct verify_check {
    char name[VERIFY_NAME_LEN + 1]; /* "statement", "bundle", "source" … */
    bool is_ok;
    char text[VERIFY_TEXT_LEN + 1];
};

/* What was found. Faults are errors of the catalogue with their own words. */
struct verify_result {
    json_t *statement, *provenance;   /* as read, the second only when it is signed; or NULL */
    json_t *list;                     /* artifacts.json */
    struct statement facts;           /* borrows from `statement` */
    char key_id[SIGN_KEY_ID_LEN + 1]; /* of the trusted key that signed the statement */
    size_t checked;                   /* files whose size and hashes fit */
    size_t n_checks, n_faults;
    struct verify_check check[VERIFY_CHECKS_MAX];
    struct {
        enum error_code code;
        char text[VERIFY_TEXT_LEN + 1];
    } fault[VERIFY_FAULTS_MAX];
};

/* 0: everything was looked at, n_faults says with which result. <0: a file could not be read;
 * `failed` names it. */
MUST_USE int verify_folder(const struct verify_order *order, struct verify_result *ret_result,
                           char failed[VERIFY_FAILED_MAX]);
void verify_deinit(struct verify_result *result);
