/* source.h: what --source names, sealed and brought into the artifact store. Main thread. */
#pragma once

#include "cli.h"
#include "seal.h"
#include "source_ref.h"

/* What a publish says of its source. Belongs to the caller, who forgets it with source_forget(). */
struct source_sent {
    char text[SOURCE_TEXT_MAX + 1];
    uint8_t key[SEAL_KEY_BYTES]; /* opens what was uploaded */
    bool has_key;
};

/* dir:PATH and upload:FILE are packed or read, sealed, and uploaded for `account`; git:URL@REF is
 * only named. The archive itself never gets onto a disk. 0, or the exit code, said. */
MUST_USE int source_upload(struct cli *cli, const char *source, const char *account,
                           struct source_sent *ret_sent);
/* Puts it into a publish, which borrows it. */
void source_fill(struct source_sent *sent, Rota__Publish *op);
void source_forget(struct source_sent *sent);
