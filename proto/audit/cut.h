/* cut.h: a checkpoint of the event log, part by part, as a book. Private to the audit. */
#pragma once

#include "audit/book.h"
#include "rota.pb-c.h"

struct cut;
MUST_USE int cut_new(struct cut **ret_cut);
struct cut *cut_free(struct cut *c);
DEFINE_FREEP(cut)

/* Its next part. CUT_BAD: it cannot be read, or is not the part that follows. */
enum cut_outcome { CUT_WHOLE = 1, CUT_BAD };
MUST_USE int cut_add(struct cut *c, ProtobufCBinaryData packed);
/* Of a whole one: hands the book over. */
struct book *cut_take(struct cut *c);

/* NULL: both say the same. Else the first difference in words, which the caller frees; what has no
 * job is not looked at, as a checkpoint holds only what has. */
char *cut_differs(const struct book *have, const struct book *said);
