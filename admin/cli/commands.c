/* commands.c: the list of commands.def as a table. */
#include "commands.h"

const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "commands.def"
#undef COMMAND
};

const size_t commands_n = ARRAY_LEN(commands);
