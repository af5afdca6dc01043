/* ops.h: the operations of ops.def as a table, by the tag of Request.op. Pure. */
#pragma once

#include "scope.h"

enum op_flag { OP_COUNTED = 1, OP_APPS = 2 };

enum op_lane { LANE_TURN, LANE_READ, OP_LANES };

struct op_row {
    const char *name; /* "publish" */
    uint32_t tag;     /* Request.op_case and Reply.result_case */
    enum op_lane lane;
    uint32_t roles;  /* bit (1 << Rota__Role) set: allowed */
    uint32_t scopes; /* a key that has scopes needs one of these; 0: it may not call it */
    uint32_t flags;  /* enum op_flag */
};

/* NULL for a tag that is no operation. */
const struct op_row *op_row(uint32_t tag);
