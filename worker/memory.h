/* memory.h: how little memory the agent holds beside its builds. What it needs for a moment goes
 * back to the kernel after it. */
#pragma once

/* How malloc() treats what is freed, from here on. Main thread, before any other. */
void memory_begin(void);

/* Gives back what no block uses, and the pages of programs and libraries that nothing touched since
 * they were read; one that is touched again is mapped again, without a copy. Any thread; takes
 * less than a millisecond. */
void memory_return(void);
