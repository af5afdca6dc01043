/* errors.h: the catalogue of errors.def as an enum and a table. Pure. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>

enum error_class { ERROR_USER, ERROR_AUTH, ERROR_LIMIT, ERROR_STATE, ERROR_INFRA };

/* 0 is "no error", so that a function may return an error_code as its outcome. */
enum error_code {
    E_OK = 0,
#define ERR(name, class, retryable, text, hint) E_##name,
#include "errors.def"
#undef ERR
    ERROR_CODE_COUNT
};

struct error_row {
    const char *name;
    enum error_class class;
    bool retryable;
    const char *text, *hint;
};

/* `code` is one of the catalogue, not E_OK. The row is static. */
const struct error_row *error_row(enum error_code code);

/* E_OK when the catalogue has no such name. */
enum error_code error_by_name(const char *name);

/* Fills `ret_error` with borrowed static strings; `text` (borrowed) replaces the row's when set. */
void error_fill(enum error_code code, const char *text, Rota__Error *ret_error);
