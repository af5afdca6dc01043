/* fetch_git.h: a source out of a git repository, fetched inside the sandbox. The slot's thread. */
#pragma once

#include "work.h"

#include <source_ref.h>

/* Refused when the operator does not allow the host, whatever the broker let through. What a branch
 * or tag turned out to be is kept by the broker, and is what later attempts fetch; it stands in the
 * log and in the facts of the build. As a phase. */
MUST_USE int fetch_git(struct work *w, const struct source_ref *asked);
