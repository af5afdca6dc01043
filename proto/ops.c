/* ops.c: one row per operation, indexed by its tag, which is also its field number in Request and
 * in Reply. The tags come from the generated enum, so the table cannot drift from the schema. */
#include "ops.h"

#include <assert.h>

/* The two oneofs must number an operation alike: librota and the broker rely on it. */
#define OP(NAME, member, lane, roles, scopes, flags)                                               \
    static_assert((int)ROTA__REQUEST__OP_##NAME == (int)ROTA__REPLY__RESULT_##NAME,                \
                  "request and reply number " #member " alike");
#include "ops.def"
#undef OP

static const struct op_row rows[] = {
#define TAG(NAME) ROTA__REQUEST__OP_##NAME
#define OP(NAME, member, lane, roles, scopes, flags)                                               \
    [TAG(NAME)] = {#member, TAG(NAME), LANE_##lane, roles, scopes, flags},
#include "ops.def"
#undef OP
};

const struct op_row *op_row(uint32_t tag)
{
    if (tag >= sizeof rows / sizeof *rows || !rows[tag].name)
        return NULL;
    return &rows[tag];
}
