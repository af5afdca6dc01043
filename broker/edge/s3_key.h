/* s3_key.h: a credential of an S3-compatible store, read from a place of secrets.h: two lines, the
 * id and the secret; or the form of ~/.aws/credentials, of which the first profile counts. */
#pragma once

#include "edge/presign.h"

enum s3_key_outcome { S3_KEY_REFUSED = 1 };

/* Pure. S3_KEY_REFUSED: it is of neither form. */
MUST_USE int s3_key_parse(const char *text, struct presign_key *ret_key);

/* S3_KEY_REFUSED: logged with what to do. */
MUST_USE int s3_key_read(const char *place, struct presign_key *ret_key);
