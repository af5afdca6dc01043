/* self_test.h: does the simulator see what it is there for? */
#pragma once

#include <stdint.h>

/* Plants one fault after the other into a life of its own, in a process of its own, and expects a
 * violation each time. 0: all were seen. */
int self_test(uint64_t seed);
