/* trust.h: the certificate authorities that git shall trust, in one file, because git reads one
 * alone: GIT_SSL_CAINFO, else the machine's, and NODE_EXTRA_CA_CERTS. Main thread, at start. */
#pragma once

#include <base/err.h>

/* `name` in `folder`; empty when the machine has none. */
MUST_USE int trust_write(const char *folder, const char *name);
