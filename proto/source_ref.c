/* source_ref.c: strict, because the text is kept with the job and compared by idempotency keys: a
 * second spelling of the same source would be another request. */
#include "source_ref.h"

#include "form.h"

#include <assert.h>
#include <sodium.h>

static const char upload_prefix[] = "upload:";

enum { PREFIX_LEN = sizeof upload_prefix - 1, HEX_LEN = SOURCE_TEXT_MAX - PREFIX_LEN };
_Static_assert(HEX_LEN == 2 * sizeof((struct source_ref){0}.sha256), "two digits a byte");

static bool upload_parse(struct span text, struct source_ref *ref)
{
    if (text.n != SOURCE_TEXT_MAX || memcmp(text.p, upload_prefix, PREFIX_LEN) != 0)
        return false;
    const char *hex = (const char *)text.p + PREFIX_LEN;
    ref->kind = SOURCE_UPLOAD;
    /* sodium alone would read capitals as well */
    return form_row(FORM_HEX)->fits((const uint8_t *)hex, HEX_LEN) &&
           sodium_hex2bin(ref->sha256, sizeof ref->sha256, hex, HEX_LEN, NULL, NULL, NULL) == 0;
}

int source_ref_parse(struct span text, struct source_ref *ret_ref)
{
    struct source_ref ref = {.kind = SOURCE_NONE};
    if (text.n > 0 && !upload_parse(text, &ref))
        return SOURCE_UNREADABLE;
    *ret_ref = ref;
    return 0;
}

char *source_ref_text(const struct source_ref *ref, char text[SOURCE_TEXT_MAX + 1])
{
    assert(ref->kind == SOURCE_NONE || ref->kind == SOURCE_UPLOAD);
    text[0] = '\0';
    if (ref->kind == SOURCE_UPLOAD) {
        memcpy(text, upload_prefix, PREFIX_LEN);
        sodium_bin2hex(text + PREFIX_LEN, HEX_LEN + 1, ref->sha256, sizeof ref->sha256);
    }
    return text;
}
