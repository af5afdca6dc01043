/* event.h: a line of the event log for people. Main thread. */
#pragma once

#include "rota.pb-c.h"

void event_print(const Rota__Event *event);
