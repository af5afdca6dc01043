/* init.h: makes a new environment. */
#pragma once

/* `rotad init`; argv[0] is the word itself. Gives the exit code. */
int init_main(int argc, char **argv);
