/* escape_host.c: sets the baits out, and looks whether one was taken. */
#undef NDEBUG
#include "escape_host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
    assert(file_write(path, 0644, text, strlen(text)) == 0);
    assert(chmod(path, 0644) == 0);
}

static int listen_at(int family, const void *address, socklen_t n)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert(fd >= 0 && bind(fd, address, n) == 0 && listen(fd, 8) == 0);
    return fd;
}

static void sockets_open(struct escape_host *h)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t n = sizeof in;
    h->listen[0] = listen_at(AF_INET, &in, n);
    assert(getsockname(h->listen[0], (struct sockaddr *)&in, &n) == 0);
    h->port = ntohs(in.sin_port);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(h->abstract, sizeof h->abstract, "rota-escape-%.16s", h->canary);
    memcpy(un.sun_path + 1, h->abstract, strlen(h->abstract));
    h->listen[1] =
        listen_at(AF_UNIX, &un,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(h->abstract)));
    un = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(h->socket_file, sizeof h->socket_file, "%s/socket", h->folder);
    snprintf(un.sun_path, sizeof un.sun_path, "%.100s", h->socket_file);
    h->listen[2] = listen_at(AF_UNIX, &un, sizeof un);
    assert(chmod(h->socket_file, 0777) == 0);
}

static void process_start(struct escape_host *h)
{
    char secret[64];
    snprintf(secret, sizeof secret, "SECRET=%s", h->canary);
    h->pid = fork();
    assert(h->pid >= 0);
    if (h->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char *const argv[] = {(char *)"sleep", (char *)"600", NULL};
        char *const env[] = {secret, NULL};
        execve("/bin/sleep", argv, env);
        _exit(1);
    }
}

static void memory_share(struct escape_host *h)
{
    h->shm_key = 0x07a00000 | (getpid() & 0xfffff);
    h->shm_id = shmget(h->shm_key, 4096, IPC_CREAT | 0666);
    assert(h->shm_id >= 0);
    snprintf(h->posix_shm, sizeof h->posix_shm, "/dev/shm/rota-escape-%.16s", h->canary);
    put(h->posix_shm, h->canary);
}

static void other_job(struct escape_host *h, const struct space_root *root, uid_t owner)
{
    char path[SPACE_PATH_MAX + 16];
    assert(space_new(root, "slot-1", 64 << 20, owner, &h->other) == 0);
    snprintf(path, sizeof path, "%s/app/canary", h->other->path);
    put(path, h->canary);
    assert(chown(path, owner, (gid_t)-1) == 0);
}

void escape_host_open(struct escape_host *h, const struct space_root *root, uid_t owner)
{
    unsigned char bytes[CANARY_LEN / 2];
    *h = (struct escape_host){0};
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(h->canary, sizeof h->canary, bytes, sizeof bytes);
    snprintf(h->folder, sizeof h->folder, "/tmp/rota-escape-XXXXXX");
    assert(mkdtemp(h->folder) && chmod(h->folder, 0777) == 0);
    snprintf(h->file, sizeof h->file, "%s/canary", h->folder);
    put(h->file, h->canary);
    h->leaked = open(h->file, O_RDONLY);
    assert(h->leaked >= 0);
    sockets_open(h);
    process_start(h);
    memory_share(h);
    other_job(h, root, owner);
}

void escape_host_tell(const struct escape_host *h, const char *path)
{
    char text[2048], backwards[CANARY_LEN + 1] = "";
    for (int i = 0; i < CANARY_LEN; i++)
        backwards[i] = h->canary[CANARY_LEN - 1 - i];
    snprintf(text, sizeof text,
             "yranac=%s\nhost_file=%s\nother_job=%s/app/canary\nhost_pid=%d\nport=%d\nabstract=%s\n"
             "socket_file=%s\nposix_shm=%s\nshm_key=%d\nfsize=%llu\n",
             backwards, h->file, h->other->path, (int)h->pid, h->port, h->abstract, h->socket_file,
             h->posix_shm, h->shm_key, 1ull << 30);
    put(path, text);
}

bool escape_host_is_whole(const struct escape_host *h)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    struct pollfd p[3];
    for (size_t i = 0; i < 3; i++)
        p[i] = (struct pollfd){.fd = h->listen[i], .events = POLLIN};
    return poll(p, 3, 0) == 0 && waitpid(h->pid, NULL, WNOHANG) == 0 &&
           file_read(h->file, 128, &text, &n) == 0 && strcmp(text, h->canary) == 0;
}

void escape_host_close(struct escape_host *h)
{
    kill(h->pid, SIGKILL);
    waitpid(h->pid, NULL, 0);
    shmctl(h->shm_id, IPC_RMID, NULL);
    for (size_t i = 0; i < 3; i++)
        close(h->listen[i]);
    close(h->leaked);
    h->other = space_free(h->other);
    unlink(h->posix_shm);
    unlink(h->socket_file);
    unlink(h->file);
    rmdir(h->folder);
}

void escape_bring(const char *apps, const char *name, const struct space *s, const char *to)
{
    char from[1024], path[SPACE_PATH_MAX + 64];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(from, sizeof from, "%s/hostile/escape/%s", apps, name);
    snprintf(path, sizeof path, "%s/%s/%s", s->path, to, name);
    assert(file_read(from, 1 << 20, &text, &n) == 0 && file_write(path, 0644, text, n) == 0);
}
