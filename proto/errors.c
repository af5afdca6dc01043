/* errors.c: the rows come from errors.def in its order, so a code is the index of its row.
 *
 * A name is looked up by walking the table: it happens once per refused call on the reader's side,
 * and a hundred short comparisons cost less than keeping a second, sorted table true. */
#include "errors.h"

#include <assert.h>
#include <string.h>

#define USER  ERROR_USER
#define AUTH  ERROR_AUTH
#define LIMIT ERROR_LIMIT
#define STATE ERROR_STATE
#define INFRA ERROR_INFRA

static const struct error_row rows[ERROR_CODE_COUNT] = {
#define ERR(name, class, retryable, text, hint) [E_##name] = {#name, class, retryable, text, hint},
#include "errors.def"
#undef ERR
};

const struct error_row *error_row(enum error_code code)
{
    assert(code > E_OK && code < ERROR_CODE_COUNT);
    return &rows[code];
}

enum error_code error_by_name(const char *name)
{
    for (unsigned i = E_OK + 1; name && i < ERROR_CODE_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (enum error_code)i;
    return E_OK;
}

void error_fill(enum error_code code, const char *text, Rota__Error *ret_error)
{
    const struct error_row *row = error_row(code);
    rota__error__init(ret_error);
    /* protobuf-c's strings are not const, though packing only reads them. */
    ret_error->name = (char *)row->name;
    ret_error->text = (char *)(text ? text : row->text);
    ret_error->hint = (char *)row->hint;
    ret_error->retryable = row->retryable;
}
