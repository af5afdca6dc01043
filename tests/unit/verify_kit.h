/* verify_kit.h: folders as `rota download` writes them, made in memory by the code that rotad signs
 * with, so that tests can tamper with every byte and put it on the disk. Needs sodium_init(). */
#pragma once

#undef NDEBUG
#include "cli/verify.h"

#include <base/auto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

struct kit_key {
    uint8_t secret[SIGN_SECRET_BYTES];
    struct trusted_key trusted;
};
/* The same key for the same salt. */
void kit_key_make(unsigned salt, struct kit_key *key);

enum kit_part {
    KIT_BUNDLE,
    KIT_ASSETS,
    KIT_MAP,
    KIT_STATEMENT,
    KIT_SIGNATURE,
    KIT_PROVENANCE,
    KIT_LIST,
    KIT_PARTS
};
extern const char *const kit_names[KIT_PARTS];

enum { KIT_PART_MAX = 40 * 1024 };

struct kit_file {
    uint8_t bytes[KIT_PART_MAX];
    size_t n;
    bool is_absent;
};
struct kit_folder {
    struct kit_file file[KIT_PARTS];
};

struct kit_build {
    const char *job, *app, *account, *environment;
    unsigned salt; /* of the files' bytes */
    const struct kit_key *key;
};

void kit_make(const struct kit_build *b, struct kit_folder *ret_folder);

/* Parts anew, after the test has changed what they stand on. */
void kit_sign(struct kit_folder *f, const char *statement, const struct kit_key *key);
void kit_envelope(struct kit_folder *f, const char *payload, const struct kit_key *key);
void kit_list(struct kit_folder *f);
/* The payload of the folder's envelope; the caller frees it. */
char *kit_payload(const struct kit_folder *f);
void kit_text(struct kit_folder *f, enum kit_part part, const char *text);

/* A new folder on the disk, and its end. */
char *kit_dir(void);
void kit_dir_remove(char *dir);
/* Puts the parts into the folder, in the place of earlier ones. */
void kit_write(const struct kit_folder *f, const char *dir);
/* The first fault of the folder, E_OK: none. */
enum error_code kit_verify(const char *dir, const struct trusted_key *keys, size_t keys_n);
