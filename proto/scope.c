/* scope.c: the rows of scopes.def, and the sets that follow from them. */
#include "scope.h"

#include <stdio.h>
#include <string.h>

static const struct row {
    const char *name;
    uint32_t roles, members;
    uint32_t by_app; /* 1: keys that are good for one app only may carry it too */
} rows[SCOPES] = {
#define SCOPE(NAME, name, roles, members, by_app)                                                  \
    [SCOPE_PLACE_##NAME] = {name, roles, members, by_app},
#include "scopes.def"
#undef SCOPE
};

const char *scope_name(size_t place)
{
    return place < SCOPES ? rows[place].name : "";
}

uint32_t scope_by_name(const char *name)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (strcmp(rows[i].name, name) == 0)
            return UINT32_C(1) << i;
    return 0;
}

uint32_t scopes_of_role(Rota__Role role)
{
    uint32_t scopes = 0;
    for (size_t i = 0; i < SCOPES; i++)
        scopes |= (rows[i].roles >> role & 1) << i;
    return scopes;
}

uint32_t scopes_default(Rota__Role role)
{
    return role == ROTA__ROLE__ACCOUNT ? SCOPE_BUILD_CREATE | SCOPE_BUILD_READ : 0;
}

uint32_t scopes_of_member(Rota__MemberRole role)
{
    uint32_t scopes = 0;
    for (size_t i = 0; i < SCOPES; i++)
        scopes |= (rows[i].members >> role & 1) << i;
    return scopes;
}

uint32_t scopes_of_app(void)
{
    uint32_t scopes = 0;
    for (size_t i = 0; i < SCOPES; i++)
        scopes |= rows[i].by_app << i;
    return scopes;
}

char *scopes_text(uint32_t scopes, char *text, size_t n)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < SCOPES; i++) {
        if (!(scopes >> i & 1))
            continue;
        int more = snprintf(text + used, n - used, "%s%s", used ? " " : "", rows[i].name);
        if (more < 0 || (size_t)more >= n - used)
            break;
        used += (size_t)more;
    }
    text[used] = '\0';
    return text;
}
