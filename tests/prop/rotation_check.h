/* rotation_check.h: walks a rotation rule through every state and every eligible set, and says what
 * it guarantees. Knows the rule only through rotation_next(), so it can be linked to another one.
 */
#pragma once

#include "sched/rotation.h"

#include <limits.h>

#define WAIT_UNBOUNDED UINT_MAX

struct rotation_report {
    unsigned steps;              /* (state, set) pairs tried */
    unsigned not_eligible;       /* of them, how many served a tier that was not eligible (G3) */
    unsigned string_missed;      /* states from which the founding order is never reached (G1) */
    unsigned shares_missed;      /* (state, set) pairs whose long-run shares are others (G2) */
    unsigned wait_any[TIERS];    /* worst wait, the other tiers coming and going at will (G4) */
    unsigned wait_stable[TIERS]; /* worst wait while the set stays as it is (G4) */
    unsigned p0_least_of_10;     /* fewest P0 in ten dispatches, P0 eligible all along (G5) */
    unsigned turns_in_a_row;     /* most dispatches in a row of a tier above which one waits (G6) */
};

void rotation_check(uint8_t n_max, struct rotation_report *ret_report);

/* Prints each figure that differs from what is wanted; returns how many do. */
unsigned rotation_report_compare(const struct rotation_report *got,
                                 const struct rotation_report *wanted);
