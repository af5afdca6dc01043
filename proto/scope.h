/* scope.h: the scopes of scopes.def as sets: what a key is good for. Pure. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets of roles: bit (1 << Rota__Role), and of members: bit (1 << Rota__MemberRole). */
enum { R_O = 1 << 1, R_A = 1 << 2, R_W = 1 << 3, R_G = 1 << 4, R_ANY = 0xff };
enum { M_O = 1 << 1, M_A = 1 << 2, M_M = 1 << 3 };

enum scope_place {
#define SCOPE(NAME, name, roles, members, by_app) SCOPE_PLACE_##NAME,
#include "scopes.def"
#undef SCOPE
    SCOPES
};

/* Each scope is a bit, as it is stored with every key. */
enum scope {
#define SCOPE(NAME, name, roles, members, by_app) SCOPE_##NAME = 1 << SCOPE_PLACE_##NAME,
#include "scopes.def"
#undef SCOPE
};

/* "build:create"; `place` is below SCOPES. */
const char *scope_name(size_t place);
/* The bit; 0: no such scope. */
uint32_t scope_by_name(const char *name);

/* What keys of a role may carry, and what they carry when nothing is asked for (0: they are not
 * bounded by scopes). */
uint32_t scopes_of_role(Rota__Role role);
uint32_t scopes_default(Rota__Role role);
/* What the keys of a member of this role may carry at most. */
uint32_t scopes_of_member(Rota__MemberRole role);
/* What a key that is good for one app only may carry at most. */
uint32_t scopes_of_app(void);

/* The names of a set, with a blank between them, as far as `n` bytes go; returns `text`. */
char *scopes_text(uint32_t scopes, char *text, size_t n);
