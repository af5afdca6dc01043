/* serve.h: rotad's main work. */
#pragma once

/* `rotad --data DIR --listen URL...`. Gives the exit code. */
int serve_main(int argc, char **argv);
