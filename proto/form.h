/* form.h: what a value of the wire may look like: the forms that limits.def names. Pure. */
#pragma once

#include "errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum form {
    FORM_ANY,
    FORM_EXACT,
    FORM_TEXT,
    FORM_LINE,
    FORM_NAME,
    FORM_CLASS,
    FORM_FILE,
    FORM_HEX,
    FORM_ADDRESS,
    FORM_ACCOUNT,
    FORM_JOB,
    FORM_NUMBER,
    FORM_TIER,
    FORM_ROLE,
    FORM_WORD,
    FORM_SWITCH,
    FORM_PART,
    FORM_COUNT
};

/* The longest text of the form. */
enum { NAME_LEN_MAX = 64, CLASS_LEN_MAX = 32, ACCOUNT_LEN_MAX = 64 };

struct form_row {
    /* NULL: any bytes. */
    bool (*fits)(const uint8_t *p, size_t n);
    enum error_code code;  /* what to answer when the value is not of the form */
    bool is_length_own;    /* the form's own code also stands for a wrong length */
    size_t item_bytes_max; /* of each member of a list; 0: no list has this form */
    const char *text;      /* "not a job id" */
};

/* The row is static. */
const struct form_row *form_row(enum form form);
