/* source.h: what --source names, brought into the artifact store. Main thread. */
#pragma once

#include "cli.h"
#include "source_ref.h"

/* Packs or reads, hashes and uploads `source` (dir:PATH or upload:FILE) for `account`; `text`
 * becomes what the publish names. 0, or the exit code, said. */
MUST_USE int source_upload(struct cli *cli, const char *source, const char *account,
                           char text[SOURCE_TEXT_MAX + 1]);
