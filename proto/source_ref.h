/* source_ref.h: what a publish names as its source, as text and as parts.
 *
 *   (empty)          no source
 *   upload:SHA256    an uploaded archive, by its hash: 64 lower-case hex digits
 *
 * A source has one text and a text one source: what was printed is read back, and the other way
 * round. Pure; any thread. */
#pragma once

#include <base/bytes.h>
#include <base/err.h>

enum source_kind { SOURCE_NONE, SOURCE_UPLOAD };

struct source_ref {
    enum source_kind kind;
    uint8_t sha256[32]; /* of an UPLOAD */
};

/* The longest text there is: "upload:" and the hash. */
enum { SOURCE_TEXT_MAX = 7 + 64 };

enum source_outcome { SOURCE_UNREADABLE = 1 };

/* `text` needs no NUL. SOURCE_UNREADABLE: of no known form; *ret_ref is untouched. */
MUST_USE int source_ref_parse(struct span text, struct source_ref *ret_ref);

/* Writes the text and a NUL; returns `text`. */
char *source_ref_text(const struct source_ref *ref, char text[SOURCE_TEXT_MAX + 1]);
