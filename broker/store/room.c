/* room.c: how full the database is, and the small chores between turns.
 *
 * LMDB never gives a page back to the file, so the number of the last page alone never falls: what
 * counts is all pages up to it, less those on the free list. The free list is a table of its own
 * (number 0; one row for each transaction that freed pages, its first word is their count); it is
 * walked only when the last page alone says "full", so the common answer costs few system calls.
 *
 * A full disk shows inside a commit, when it is too late for the request. So the disk is looked at
 * before, and a reserve is kept back for finishes and cancels, which must always fit: under the
 * quota by this count, on the disk as blocks that are the file's already (ahead.c). Publishes leave
 * a quarter of it free beside them, for what else the broker writes there.
 *
 * Writing zeros ahead of the file's end, so that a commit need not make the file longer, was tried
 * and measured: it gained nothing (docs/adr/0002-layout.md). */
#include "store/store_impl.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    ROOM_LOOK_MS = 100,
    READERS_CHECK_MS = 10000,
};

/* ---- measuring ---- */

static int pages_end(struct store *s, uint64_t *ret_bytes)
{
    MDB_envinfo info;
    int rc = LMDB(mdb_env_info(s->env, &info));
    if (rc)
        return store_fault(rc);
    *ret_bytes = ((uint64_t)info.me_last_pgno + 1) * s->page_bytes;
    return 0;
}

static int free_list_sum(MDB_cursor *c, uint64_t *ret_pages)
{
    uint64_t pages = 0;
    MDB_val k, v;
    int rc;
    while ((rc = LMDB(mdb_cursor_get(c, &k, &v, MDB_NEXT))) == 0) {
        size_t n;
        memcpy(&n, v.mv_data, sizeof n);
        pages += n;
    }
    if (rc != MDB_NOTFOUND)
        return store_fault(rc);
    *ret_pages = pages;
    return 0;
}

static int pages_free(struct store *s, uint64_t *ret_bytes)
{
    AUTO(txn) txn = NULL;
    int r = store_snapshot(s, &txn);
    if (r < 0)
        return err_pass(r);
    MDB_cursor *c;
    int rc = LMDB(mdb_cursor_open(txn->mdb, 0, &c));
    if (rc)
        return store_fault(rc);
    uint64_t pages = 0;
    r = free_list_sum(c, &pages);
    mdb_cursor_close(c);
    *ret_bytes = pages * s->page_bytes;
    return r;
}

int store_usage(struct store *s, struct store_usage *ret_usage)
{
    uint64_t end = 0, unused = 0;
    int r = pages_end(s, &end);
    if (!r)
        r = pages_free(s, &unused);
    if (r)
        return r;
    *ret_usage = (struct store_usage){
        .used_bytes = end > unused ? end - unused : 0,
        .quota_bytes = s->quota_bytes,
        .map_bytes = s->map_bytes,
        .commits = s->commits,
        .writes = s->writes,
    };
    return 0;
}

/* ---- room ---- */

struct room {
    uint64_t used_bytes, disk_bytes, ahead_bytes;
    uint64_t slack_bytes; /* blocks of the file that hold no page yet */
};

static bool disk_is_enough(const struct store *s, const struct room *room)
{
    if (s->ahead.is_off)
        return room->disk_bytes + room->slack_bytes >= s->reserve_bytes;
    return room->ahead_bytes >= s->reserve_bytes && room->disk_bytes >= ahead_margin(s);
}

static bool room_is_enough(const struct store *s, const struct room *room)
{
    uint64_t limit = s->map_bytes;
    if (s->quota_bytes && s->quota_bytes < limit)
        limit = s->quota_bytes;
    return room->used_bytes + s->reserve_bytes <= limit && disk_is_enough(s, room);
}

static int file_look(struct store *s, struct room *room)
{
    mdb_filehandle_t fd;
    int rc = LMDB(mdb_env_get_fd(s->env, &fd));
    if (rc)
        return store_fault(rc);
    struct stat st;
    struct statvfs vfs;
    uint64_t end = room->used_bytes;
    ahead_keep(s, fd, end, clock_boot_ms());
    if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
        return err_raise(-errno);
    room->slack_bytes = (uint64_t)st.st_size > end ? (uint64_t)st.st_size - end : 0;
    room->ahead_bytes = ahead_bytes(s, end);
    room->disk_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return 0;
}

static int room_look(struct store *s)
{
    uint64_t unused = 0;
    struct room room = {0};
    int r = pages_end(s, &room.used_bytes);
    if (!r)
        r = file_look(s, &room);
    if (r)
        return r;
    if (room_is_enough(s, &room))
        return 0;
    r = pages_free(s, &unused);
    if (r)
        return r;
    room.used_bytes -= unused < room.used_bytes ? unused : room.used_bytes;
    room.disk_bytes += unused;
    room.ahead_bytes += unused;
    return room_is_enough(s, &room) ? 0 : STORE_FULL;
}

int store_has_room(struct store *s)
{
    uint64_t now_ms = clock_boot_ms();
    if (s->room_seen_ms && now_ms - s->room_seen_ms < ROOM_LOOK_MS)
        return s->room;
    int r = room_look(s);
    if (r < 0)
        return err_pass(r);
    s->room_seen_ms = now_ms;
    s->room = r;
    return r;
}

/* ---- chores ---- */

static void readers_check(struct store *s, uint64_t now_ms)
{
    if (s->readers_checked_ms && now_ms - s->readers_checked_ms < READERS_CHECK_MS)
        return;
    s->readers_checked_ms = now_ms;
    int dead;
    int rc = LMDB(mdb_reader_check(s->env, &dead));
    (void)rc; /* tried again in ten seconds */
}

void store_tend(struct store *s, uint64_t now_ms)
{
    assert(!s->writer.mdb);
    if (s->is_dead)
        return;
    readers_check(s, now_ms);
    mdb_filehandle_t fd;
    uint64_t end = 0;
    if (LMDB(mdb_env_get_fd(s->env, &fd)) == 0 && pages_end(s, &end) == 0)
        ahead_keep(s, fd, end, now_ms);
}
