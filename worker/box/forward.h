/* forward.h: runs a program beside a forwarder: what it connects to at 127.0.0.1:PORT comes out at
 * a socket file, behind which the agent's proxy listens. The sandbox's own network has nothing but
 * that loopback address. */
#pragma once

enum { FORWARD_PAIRS_MAX = 128 };

/* args: SOCKET, PORT, "--", PROGRAM, ARGUMENTS..., NULL. Returns the program's exit code, 128 +
 * its signal, or, after saying why on stderr, one of exit.h. Bytes for more than FORWARD_PAIRS_MAX
 * connections are not held: further ones wait in the kernel until one ends. */
int box_forward(char **args);
