/* notify.c: sd_notify is one datagram, so it is written out here rather than linked. A name that
 * begins with @ is in the abstract namespace. */
#include "edge/notify.h"

#include <base/auto.h>
#include <base/file.h>
#include <base/log.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void notify_fd(int fd)
{
    static const char word[] = "ready\n";
    if (write_all(fd, word, sizeof word - 1) < 0)
        log_warn("ready.unheard", "fd=%d", fd);
    close(fd);
}

void notify_systemd(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = name ? strlen(name) : 0;
    if (n < 2 || n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, name, n);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    AUTO_FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t to_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, to_n) < 0)
        log_warn("systemd.unheard", "socket=%s", name);
}
