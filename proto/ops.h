/* ops.h: the operations of ops.def as a table, by the tag of Request.op. Pure. */
#pragma once

#include "rota.pb-c.h"

#include <stdint.h>

enum { R_O = 1 << 1, R_A = 1 << 2, R_W = 1 << 3, R_G = 1 << 4, R_ANY = 0xff };

enum op_lane { LANE_TURN, LANE_READ, OP_LANES };

struct op_row {
    const char *name; /* "publish" */
    uint32_t tag;     /* Request.op_case and Reply.result_case */
    enum op_lane lane;
    uint32_t roles; /* bit (1 << Rota__Role) set: allowed */
};

/* NULL for a tag that is no operation. */
const struct op_row *op_row(uint32_t tag);
