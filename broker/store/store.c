/* store.c: opening and closing the database; LMDB's codes in our words.
 *
 * One environment per process in LMDB's default mode: a commit is two flushes, the data pages by
 * fdatasync and the meta page by a write on an O_DSYNC descriptor. MDB_NOTLS lets a snapshot move
 * between threads. LMDB itself would let a second process in, and two brokers would hand out the
 * same job twice; so a file lock on the folder comes first. It is an flock: the kernel drops it
 * when the process dies, however it dies, and O_CLOEXEC keeps children from holding it on.
 *
 * The format row in `meta` is read before anything else is written, so a database of somebody else
 * or of a newer rotad stays as it was found. */
#include "store/rows.h"
#include "store/store_impl.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

static const uint64_t map_bytes_default = 1ull << 40;

static const struct {
    int foreign, ours;
} codes[] = {
    {MDB_SUCCESS, 0},
    {MDB_NOTFOUND, STORE_MISSING},
    {MDB_KEYEXIST, STORE_EXISTS},
    {MDB_MAP_FULL, STORE_FULL},
    {MDB_TXN_FULL, STORE_FULL},
    {MDB_INVALID, STORE_FORMAT},
    {MDB_VERSION_MISMATCH, STORE_FORMAT},
    {MDB_INCOMPATIBLE, STORE_FORMAT},
    {MDB_READERS_FULL, -EAGAIN},
    {MDB_BAD_VALSIZE, -EINVAL},
    {MDB_DBS_FULL, -EINVAL},
    {ENOMEM, -ENOMEM},
    {EACCES, -EACCES},
    {EPERM, -EPERM},
    {ENOENT, -ENOENT},
    {EROFS, -EROFS},
    {EMFILE, -EMFILE},
    {ENFILE, -ENFILE},
    {EINVAL, -EINVAL},
    {ENOSPC, -ENOSPC},
    {EDQUOT, -ENOSPC},
    {EEXIST, -EEXIST},
};

int store_code_at(int rc, enum store_outcome most, const char *file, int line)
{
    int ours = -EIO; /* EIO, a panic, corruption, whatever else: only a reopening heals it */
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].foreign == rc)
            ours = codes[i].ours;
    if (ours > (int)most)
        ours = -EIO;
    return ours < 0 ? err_note(ours, file, line, 1) : ours;
}

static const char *const names[] = {
#define TABLE(NAME, name, key) [TABLE_##NAME] = #name,
#include "store/tables.def"
#undef TABLE
};

const char *table_name(enum table t)
{
    assert(t < TABLE_COUNT);
    return names[t];
}

/* ---- opening ---- */

static int path_join(char path[PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    return n < 0 || n >= PATH_MAX ? err_raise(-ENAMETOOLONG) : 0;
}

static int lock_take(struct store *s, const char *dir)
{
    char path[PATH_MAX];
    int r = path_join(path, dir, "broker.lock");
    if (r < 0)
        return err_pass(r);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return err_raise(-errno);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? STORE_BUSY : err_raise(-errno);
}

static int database_look(const struct store_config *config)
{
    char path[PATH_MAX];
    int r = path_join(path, config->dir, "data.mdb");
    if (r < 0)
        return err_pass(r);
    struct stat st;
    if (stat(path, &st) == 0 || config->create)
        return 0;
    return errno == ENOENT ? STORE_MISSING : err_raise(-errno);
}

/* LMDB leaves the data descriptor open across exec; a child must not inherit the database. */
static int env_close_on_exec(struct store *s)
{
    mdb_filehandle_t fd;
    int rc = LMDB(mdb_env_get_fd(s->env, &fd));
    if (rc)
        return store_code_open(rc);
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? err_raise(-errno) : 0;
}

static int env_open(struct store *s, const char *dir)
{
    int rc = LMDB(mdb_env_create(&s->env));
    if (rc) {
        s->env = NULL;
        return store_code_open(rc);
    }
    rc = LMDB(mdb_env_set_mapsize(s->env, s->map_bytes));
    if (!rc)
        rc = LMDB(mdb_env_set_maxdbs(s->env, TABLE_COUNT));
    if (!rc)
        rc = LMDB(mdb_env_set_maxreaders(s->env, STORE_READERS_MAX));
    if (!rc)
        rc = LMDB(mdb_env_open(s->env, dir, MDB_NOTLS, 0600));
    MDB_stat stat = {0};
    if (!rc)
        rc = LMDB(mdb_env_stat(s->env, &stat));
    s->page_bytes = stat.ms_psize;
    return rc ? store_code_open(rc) : env_close_on_exec(s);
}

/* Tells a database that was never begun (a crash right after the file was made) from a foreign one.
 */
static int meta_absent(MDB_txn *mdb, bool create)
{
    MDB_dbi main_dbi;
    int rc = LMDB(mdb_dbi_open(mdb, NULL, 0, &main_dbi));
    MDB_stat stat = {0};
    if (!rc)
        rc = LMDB(mdb_stat(mdb, main_dbi, &stat));
    if (rc)
        return store_code_open(rc);
    if (stat.ms_entries)
        return STORE_FORMAT;
    return create ? 0 : STORE_MISSING;
}

static int format_check(struct txn *txn, bool *ret_is_older)
{
    struct meta_row row;
    int r = row_get(txn, &meta_row_type, span_str("format"), &row);
    if (r == STORE_MISSING)
        return STORE_FORMAT;
    if (r < 0)
        return err_pass(r);
    uint32_t format = row.value.n == 4 ? get_be32(row.value.p) : 0;
    *ret_is_older = format < STORE_FORMAT_NOW;
    return format < STORE_FORMAT_OLDEST || format > STORE_FORMAT_NOW ? STORE_FORMAT : 0;
}

static int format_write(struct txn *txn)
{
    uint8_t version[4];
    put_be32(version, STORE_FORMAT_NOW);
    struct meta_row row = {.value = span_of(version, sizeof version)};
    return row_put(txn, &meta_row_type, span_str("format"), &row);
}

/* The other tables; a table that this version is the first to know is made on the way. */
static int tables_make(struct txn *txn)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        int rc = LMDB(mdb_dbi_open(txn->mdb, names[t], MDB_CREATE, &txn->store->dbi[t]));
        if (rc)
            return store_code_open(rc);
    }
    return 0;
}

static int tables_open(struct store *s, bool create)
{
    AUTO(txn) txn = NULL;
    int r = store_begin(s, &txn);
    if (r < 0)
        return err_pass(r);
    int rc = LMDB(mdb_dbi_open(txn->mdb, names[TABLE_META], 0, &s->dbi[TABLE_META]));
    bool is_new = rc == MDB_NOTFOUND, is_older = false;
    if (is_new)
        r = meta_absent(txn->mdb, create);
    else
        r = rc ? store_code_open(rc) : format_check(txn, &is_older);
    if (!r)
        r = tables_make(txn);
    if (!r && (is_new || is_older)) /* older rows are read as they are, and written anew */
        r = format_write(txn);
    if (r)
        return r < 0 ? err_pass(r) : r;
    return store_commit(&txn);
}

int store_open(const struct store_config *config, struct store **ret_store)
{
    assert(config->dir && ret_store);
    int r = database_look(config);
    if (r)
        return r < 0 ? err_pass(r) : r;
    AUTO(store) s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&s->pool_lock, NULL);
    s->map_bytes = config->map_bytes ? config->map_bytes : map_bytes_default;
    s->quota_bytes = config->quota_bytes;
    s->reserve_bytes = config->reserve_bytes;
    s->lock_fd = -1;
    r = lock_take(s, config->dir);
    if (!r)
        r = ahead_lock_file(config->dir);
    if (!r)
        r = env_open(s, config->dir);
    if (!r)
        r = tables_open(s, config->create);
    if (r == STORE_FULL) /* not an outcome of opening */
        r = err_raise(-ENOSPC);
    if (r)
        return r < 0 ? err_pass(r) : r;
    store_tend(s, clock_boot_ms());
    s->commits = s->writes = 0;
    *ret_store = TAKE(s);
    return 0;
}

struct store *store_free(struct store *s)
{
    if (!s)
        return NULL;
    assert(!s->writer.mdb);
    snapshots_drop(s);
    if (s->env)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->pool_lock);
    free(s);
    return NULL;
}

void store_collect(struct store *s, store_collector *collector, void *arg)
{
    assert(!s->writer.mdb);
    s->collector = collector;
    s->collector_arg = arg;
}

int store_copy(struct store *s, const char *path)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_raise(-errno);
    /* Not compacted: that mode renumbers pages by a walk that a damaged page would stop. */
    int rc = LMDB(mdb_env_copyfd2(s->env, fd, 0));
    int r = store_fault(rc);
    if (!r && fsync(fd) < 0)
        r = err_raise(-errno);
    if (r)
        unlink(path);
    return r;
}
