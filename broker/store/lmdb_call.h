/* lmdb_call.h: the door through which every call into LMDB goes.
 *
 * LMDB(mdb_put(...)) is the call itself in a production build. A build configured with -Dfault=true
 * counts the calls and can fail the Nth of them (tests/fault/lmdb_fault.c), so that a test can walk
 * one failure through every call site. Calls that LMDB defines as returning nothing (mdb_txn_abort,
 * mdb_txn_reset, mdb_cursor_close, mdb_env_close) cannot fail and stand bare. */
#pragma once

#include <lmdb.h>

#ifdef ROTA_FAULT

#include "fault/lmdb_fault.h"

#define LMDB(call)                                                                                 \
    __extension__({                                                                                \
        int injected_ = fault_point(#call, __FILE__, __LINE__);                                    \
        injected_ ? injected_ : (call);                                                            \
    })

/* A commit that fails has freed its transaction, so an injected failure must do the same. */
static inline int lmdb_commit(MDB_txn *txn)
{
    int injected = fault_point("mdb_txn_commit(txn)", __FILE__, __LINE__);
    if (!injected)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return injected;
}

#else

#define LMDB(call) (call)

static inline int lmdb_commit(MDB_txn *txn)
{
    return mdb_txn_commit(txn);
}

#endif
