/* refusal.c: how a part of rota-box says no, and the bounds that it says no by. */
#include "box.h"

#include <stdarg.h>
#include <stdio.h>

const struct box_limits box_limits_default = {
    .bytes_max = (uint64_t)1 << 30,
    .entries_max = 100000,
    .path_bytes_max = 1024,
};

int box_refuse(struct box_refusal *ret, enum error_code code, const char *name, const char *format,
               ...)
{
    (void)code; /* only there so that the compiler knows the name */
    va_list ap;
    va_start(ap, format);
    ret->name = name;
    vsnprintf(ret->text, sizeof ret->text, format, ap);
    va_end(ap);
    return BOX_REFUSED;
}
