/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/stale_sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STARTING_S 2 /* between bind() and listen(), a new socket looks like a stale one */

/* True for a directory of the effective user to which no other user can write. */
static bool is_private(const struct stat *st)
{
    return S_ISDIR(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* True if the process in the name of a socket, such as "4711.sock", does not exist. */
static bool is_of_ended_process(const char *name)
{
    size_t digits = strspn(name, "0123456789");

    return digits > 0 && digits < 10 && name[0] != '0' && strcmp(name + digits, ".sock") == 0 &&
           kill((pid_t)strtol(name, NULL, 10), 0) < 0 && errno == ESRCH;
}

/* True if no process listens on the socket. A process in another container may listen, although no
 * process here has the pid in the name. */
static bool is_refused(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused;

    if (fd < 0)
        return false;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    refused = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
              errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static bool is_stale(int folder, const char *name, const char *path)
{
    struct stat st;

    return is_of_ended_process(name) && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(st.st_mode) && st.st_uid == geteuid() &&
           time(NULL) - st.st_mtime > STARTING_S && is_refused(path);
}

static void clean(const char *folder)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent *entry;
    struct stat st;
    DIR *entries;
    int len;

    if (fd < 0)
        return;
    entries = fstat(fd, &st) == 0 && is_private(&st) ? fdopendir(fd) : NULL;
    if (!entries) {
        close(fd);
        return;
    }
    while ((entry = readdir(entries))) {
        len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (len > 0 && (size_t)len < sizeof(path) && is_stale(fd, entry->d_name, path))
            unlinkat(fd, entry->d_name, 0);
    }
    closedir(entries);
}

void stale_sockets_remove(void)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    int len;

    if (runtime && runtime[0] == '/' && stat(runtime, &st) == 0 && is_private(&st)) {
        len = snprintf(folder, sizeof(folder), "%s/pystuck", runtime);
        if (len > 0 && (size_t)len < sizeof(folder))
            clean(folder);
    }
    snprintf(folder, sizeof(folder), "/tmp/pystuck-%u", (unsigned)geteuid());
    clean(folder);
}
