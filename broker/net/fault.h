/* fault.h: nng's error numbers as ours, in one place. */
#pragma once

/* `rv` is not 0; the answer is -errno, unraised. */
int nng_fault(int rv);
