/* source_ref.h: what a publish names as its source, as text and as parts.
 *
 *   (empty)                      no source
 *   upload:SHA256                an uploaded archive, by its hash: 64 lower-case hex digits
 *   git:https://HOST/PATH@REF    a repository: REF is a branch, a tag, or a commit in full (40
 *                                lower-case hex digits); the last '@' stands before it
 *
 * HOST may have a port other than 443. There is no user part and no query: a secret never stands in
 * a source. A source has one text and a text one source: what was printed is read back, and the
 * other way round. Pure; any thread. */
#pragma once

#include "host.h"

#include <base/bytes.h>
#include <base/err.h>

enum source_kind { SOURCE_NONE, SOURCE_UPLOAD, SOURCE_GIT };

enum { SOURCE_URL_MAX = 320, SOURCE_GIT_REF_MAX = 128, SOURCE_COMMIT_LEN = 40 };

/* "upload:" and the hash; and the longest text there is, the bound of proto/limits.def. */
enum { SOURCE_UPLOAD_LEN = 7 + 64, SOURCE_TEXT_MAX = 4 + SOURCE_URL_MAX + 1 + SOURCE_GIT_REF_MAX };

struct source_ref {
    enum source_kind kind;
    uint8_t sha256[32]; /* of an UPLOAD */
    /* of a GIT: */
    char url[SOURCE_URL_MAX + 1]; /* https://HOST/PATH */
    char ref[SOURCE_GIT_REF_MAX + 1];
    struct host host;
    bool is_commit; /* `ref` is a commit, not a name */
};

enum source_outcome { SOURCE_UNREADABLE = 1 };

/* `text` needs no NUL. SOURCE_UNREADABLE: of no known form; *ret_ref is untouched. */
MUST_USE int source_ref_parse(struct span text, struct source_ref *ret_ref);

/* Does a GIT fetch from `repository`, as people write an address? Capitals in scheme and host, the
 * port 443, and ".git" and slashes at the end make no difference; whatever is no https:// address
 * is another place. */
bool source_ref_is_of(const struct source_ref *ref, struct span repository);

/* Writes the text and a NUL; returns `text`. */
char *source_ref_text(const struct source_ref *ref, char text[SOURCE_TEXT_MAX + 1]);
