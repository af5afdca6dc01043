/* fetch_upload.h: an uploaded source, from the artifact store into the sandbox. The slot's thread.
 */
#pragma once

#include "work.h"

#include <source_ref.h>

/* Finds the sealed object, holds it against its hash, opens it into the build's own tmpfs and has
 * it unpacked. As a phase. */
MUST_USE int fetch_upload(struct work *w, const struct source_ref *source);
