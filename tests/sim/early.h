/* early.h: see early.c. */
#pragma once

void speak_early(void);
