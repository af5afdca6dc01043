/* commands.c: the list of commands.def as a table. */
#include "commands.h"

const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "commands.def"
#undef COMMAND
};

/* One for each line of the list. */
const size_t commands_n = 0
#define COMMAND(name) +1
#include "commands.def"
#undef COMMAND
    ;
