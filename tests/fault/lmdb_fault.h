/* lmdb_fault.h: counted fault points for every call into LMDB. Builds with -Dfault=true only.
 *
 * In a program: ROTA_FAULT_AT=N fails the Nth call with ROTA_FAULT_ERR (a name as MDB_MAP_FULL,
 * EIO, ENOMEM, or a number; default EIO); ROTA_FAULT_LOG=FILE gets one line for the failed call,
 * and one "calls N" line when the program exits. In a test: fault_arm(). Any thread. */
#pragma once

#include <stdint.h>

/* 0: go on. Otherwise the code that the call at this place must answer. */
int fault_point(const char *call, const char *file, int line);

/* Fails the `at`th call from now on (1: the next); 0 disarms. Counting starts again. */
void fault_arm(uint64_t at, int code);

/* Calls since fault_arm() or the start. */
uint64_t fault_calls(void);

/* Where the armed fault hit: "mdb_put(...) txn.c:180", or NULL when it has not. */
const char *fault_hit(void);
