/* clone.h: a source out of a git repository: one commit of it, without its history. */
#pragma once

#include "box.h"

enum { COMMIT_TEXT_LEN = 40 };

struct clone {
    struct unpack_to to;
    const char *work; /* a folder for git's own files, which are gone afterwards */
    const char *url;  /* https://… */
    const char *ref;  /* branch, tag or commit */
};

struct clone_done {
    char commit[COMMIT_TEXT_LEN + 1];
    struct unpack_count count;
    bool has_submodules; /* they are not fetched */
};

/* Runs git, which reaches its host through the proxy of the environment, and unpacks what it
 * fetched by the rules of box_unpack(). Refuses GIT_REFUSED with git's last words, and what
 * box_unpack() refuses. */
MUST_USE int box_clone(const struct clone *c, struct clone_done *ret_done,
                       struct box_refusal *ret_refusal);
