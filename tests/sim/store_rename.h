/* store_rename.h: other names for everything that store.h declares, so that two
 * stores fit into one program. The simulated store is compiled a second time with this in front of
 * it; so is whoever calls it under these names. */
#pragma once

#define table_name     sim_table_name
#define store_open     sim_store_open
#define store_free     sim_store_free
#define store_has_room sim_store_has_room
#define store_tend     sim_store_tend
#define store_usage    sim_store_usage
#define store_begin    sim_store_begin
#define store_snapshot sim_store_snapshot
#define store_commit   sim_store_commit
#define txn_free       sim_txn_free
#define store_collect  sim_store_collect
#define txn_get        sim_txn_get
#define txn_put        sim_txn_put
#define txn_append     sim_txn_append
#define txn_reserve    sim_txn_reserve
#define txn_del        sim_txn_del
#define txn_count      sim_txn_count
#define cursor_open    sim_cursor_open
#define cursor_free    sim_cursor_free
#define cursor_seek    sim_cursor_seek
#define cursor_before  sim_cursor_before
#define cursor_next    sim_cursor_next
#define cursor_prev    sim_cursor_prev
#define cursor_last    sim_cursor_last
#define cursor_leap    sim_cursor_leap
#define store_copy     sim_store_copy
