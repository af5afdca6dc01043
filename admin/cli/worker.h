/* worker.h: workers as a table for people. Main thread. */
#pragma once

#include "rota.pb-c.h"

void workers_print(Rota__WorkerStats *const *workers, size_t n);
