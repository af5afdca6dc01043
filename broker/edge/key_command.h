/* key_command.h: `rotad key rotate`. */
#pragma once

/* argv[0] is "key". Gives the exit code. */
int key_main(int argc, char **argv);
