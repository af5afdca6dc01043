/* line.h: the descriptor behind a pipe of nng, and what may be done to it at this moment.
 *
 * A line begins when its pipe comes, before nng reads a byte of it, and ends when the pipe is gone,
 * before nng closes the descriptor; both under the lock of the pipe table, as does all that names
 * a line by way of its pipe. In between calls.c asks about each read and write. -1 is the line of a
 * pipe whose descriptor is unknown (calls_fd()): of such a one everything is allowed, and it cannot
 * be hung up. Never blocks.                                                               */
#pragma once

#include <stdbool.h>

/* Descriptors from here on are not lines. */
enum { LINES_MAX = 1 << 16 };

void line_begin(int fd);
void line_end(int fd);

/* One answer is about to be given to nng. False: the line is past its end, and nng, which is
 * closing the pipe, would lose the answer's memory. */
bool line_hand(int fd);

/* From now on a read finds the end of the stream, whatever the peer still sends. Answers on their
 * way go out. False: nothing was done. */
bool line_hang_up(int fd);

/* For calls.c. */
bool line_is_begun(int fd);
bool line_is_hung_up(int fd);

/* nng wrote; `is_whole`: all that was left of one message. */
void line_wrote(int fd, bool is_whole);

/* The descriptor takes nothing now: what comes behind waits in the pipe's own queue. */
void line_is_blocked(int fd);

/* nng's read met the end. False: not yet, it has to come back. */
bool line_may_end(int fd);
