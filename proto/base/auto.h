/* auto.h: ownership by attribute. An AUTO variable frees what it holds on every return.
 *
 *   AUTO(txn) txn = NULL;       calls txn_freep(&txn) when the scope ends
 *   return TAKE(txn);           hands it on: the variable becomes NULL
 *
 * DEFINE_FREEP(txn) makes txn_freep() out of `struct txn *txn_free(struct txn *)`, which accepts
 * NULL and half-built objects and returns NULL.                                                  */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define AUTO(type) __attribute__((cleanup(type##_freep))) struct type *

#define DEFINE_FREEP(type)                                                                         \
    static inline void type##_freep(struct type **p)                                               \
    {                                                                                              \
        *p = type##_free(*p);                                                                      \
    }

#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) took_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        took_;                                                                                     \
    })

/* For plain memory and for descriptors. */
#define AUTO_FREE __attribute__((cleanup(auto_freep_)))
#define AUTO_FD   __attribute__((cleanup(auto_closep_))) int

static inline void auto_freep_(void *p)
{
    free(*(void **)p);
}

static inline void auto_closep_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int took_ = (fd);                                                                          \
        (fd) = -1;                                                                                 \
        took_;                                                                                     \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))
