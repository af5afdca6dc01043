/* fault.c: a table; what it lacks is an I/O error. */
#include "net/fault.h"

#include <base/auto.h>
#include <errno.h>
#include <nng/nng.h>
#include <stddef.h>

static const struct {
    int nng, fault;
} rows[] = {
    {NNG_ENOMEM, -ENOMEM},        {NNG_EINVAL, -EINVAL},          {NNG_EADDRINUSE, -EADDRINUSE},
    {NNG_EADDRINVAL, -EINVAL},    {NNG_EPERM, -EACCES},           {NNG_ENOENT, -ENOENT},
    {NNG_ENOTSUP, -ENOTSUP},      {NNG_ENOFILES, -EMFILE},        {NNG_ENOSPC, -ENOSPC},
    {NNG_ECRYPTO, -EKEYREJECTED}, {NNG_EPEERAUTH, -EKEYREJECTED}, {NNG_ECLOSED, -ESHUTDOWN},
    {NNG_ETIMEDOUT, -ETIMEDOUT},
};

int nng_fault(int rv)
{
    if (rv & NNG_ESYSERR)
        return -(rv & ~NNG_ESYSERR);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].nng == rv)
            return rows[i].fault;
    return -EIO;
}
