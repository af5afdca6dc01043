/* source.h: what --source names, brought into the artifact store. Main thread. */
#pragma once

#include "cli.h"

/* "upload:" and a SHA-256 in hex */
enum { SHA256_HEX_LEN = 64, SOURCE_TEXT_LEN = 7 + SHA256_HEX_LEN };

/* Packs or reads, hashes and uploads `source` (dir:PATH or upload:FILE) for `account`; `text`
 * becomes what the publish names. 0, or the exit code, said. */
MUST_USE int source_upload(struct cli *cli, const char *source, const char *account,
                           char text[SOURCE_TEXT_LEN + 1]);
