/* verify_impl.h: shared by verify.c, verify_files.c, verify_statement.c and verify_provenance.c
 * alone. */
#pragma once

#include "verify.h"

enum { VERIFY_FILES_MAX = 16, HASH_BYTES = 32 };

/* A file that the list names, and what it is. */
struct verified_file {
    const char *kind, *name; /* borrowed from the list */
    uint64_t size;
    uint8_t sha256[HASH_BYTES], blake2b[HASH_BYTES]; /* its own, computed */
    bool is_read;          /* else it could not be opened: a fault was noted */
    bool is_signed;        /* a trusted key stands for it: */
    bool is_in_provenance; /* by the envelope, not by the statement alone */
};

struct verification {
    const struct verify_order *order;
    struct verify_result *result;
    char *failed; /* VERIFY_FAILED_MAX */
    struct verified_file file[VERIFY_FILES_MAX];
    size_t files;
};

/* Notes what does not fit. */
__attribute__((format(printf, 3, 4))) void
verify_fault(struct verification *v, enum error_code code, const char *format, ...);
/* Notes a thing that was looked at; it is ok when no fault came since `faults_before`. */
__attribute__((format(printf, 4, 5))) void verify_note(struct verification *v, const char *name,
                                                       size_t faults_before, const char *format,
                                                       ...);

enum verify_outcome { VERIFY_ABSENT = 1 };

/* Reads DIR/NAME. VERIFY_ABSENT: it is not there. Too long a one is a fault, and *ret_text NULL. */
MUST_USE int verify_read(struct verification *v, const char *name, size_t most, char **ret_text,
                         size_t *ret_n);

/* The member's text, "" when there is none. */
const char *verify_word(const json_t *object, const char *name);
/* The member's hash; lower-case hex only, so that a hash has one text. */
bool verify_hash(const json_t *object, const char *name, uint8_t *ret, size_t n);
bool verify_hex(const char *hex, uint8_t *ret, size_t n);

/* The file of this kind that the list names, or NULL. */
struct verified_file *verify_file_of(struct verification *v, const char *kind);

/* Fills the list of files and compares each with what the list says. */
MUST_USE int verify_files(struct verification *v);
MUST_USE int verify_statement(struct verification *v);
/* After the two others. */
MUST_USE int verify_provenance(struct verification *v);
/* Tells of each file, signed or only listed. */
void verify_files_note(struct verification *v);
