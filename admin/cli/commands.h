/* commands.h: declares the constants that commands.def names. */
#pragma once

#include "cli.h"

#define COMMAND(name) extern const struct command command_##name;
#include "commands.def"
#undef COMMAND
