/* rotation_mutation.c: the exhaustive checker can fail. It is linked here to rotation_v1.c, a rule
 * that is right wherever the set stays the same and starves P1 and P2 otherwise. The test passes
 * only when the checker refuses that rule, and for this reason alone. */
#undef NDEBUG
#include "rotation_check.h"

#include <assert.h>
#include <stdio.h>

static const struct rotation_report right = {
    .steps = 12 * 15,
    .wait_any = {1, 11, 10, 9},
    .wait_stable = {1, 9, 9, 9},
    .p0_least_of_10 = 7,
    .turns_in_a_row = 1,
};

int main(void)
{
    struct rotation_report report;
    rotation_check(ROTATION_N_DEFAULT, &report);
    printf("what the checker says of the wrong rule:\n");
    unsigned differences = rotation_report_compare(&report, &right);
    printf("%u differences, P1 and P2 starve\n", differences);
    assert(differences == 2);
    assert(report.wait_any[1] == WAIT_UNBOUNDED && report.wait_any[2] == WAIT_UNBOUNDED);
    return 0;
}
