/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/read.h"

static bool is_octal(const char *text)
{
    return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' && text[2] >= '0' &&
           text[2] <= '7';
}

void mount_point_decode(char *path)
{
    char *out = path;

    while (*path) {
        if (*path == '\\' && is_octal(path + 1)) {
            *out++ = (char)((path[1] - '0') << 6 | (path[2] - '0') << 3 | (path[3] - '0'));
            path += 4;
        } else {
            *out++ = *path++;
        }
    }
    *out = '\0';
}

/* If a line of mountinfo, such as "36 35 98:0 /root /mnt/nfs rw ...", has the mount with the ID
 * `mount`, copies the mount point of this mount to `out`. */
static bool parse(char *line, int64_t mount, char *out, size_t size)
{
    int begin = 0, end = 0;

    if (strtoll(line, NULL, 10) != mount)
        return false;
    if (sscanf(line, "%*d %*d %*s %*s %n%*s%n", &begin, &end) < 0 || end <= begin ||
        (size_t)(end - begin) >= size)
        return false;
    memcpy(out, line + begin, (size_t)(end - begin));
    out[end - begin] = '\0';
    mount_point_decode(out);
    return true;
}

/* Looks at all lines of mountinfo. A line that is longer than the buffer is skipped. */
static bool search(int fd, int64_t mount, char *out, size_t size)
{
    char text[4096], *line, *end;
    bool found = false;
    size_t len = 0;
    ssize_t n;

    while (!found && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        for (line = text; !found && (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            found = parse(line, mount, out, size);
        }
        len = strlen(line) < sizeof(text) - 1 ? strlen(line) : 0;
        memmove(text, line, len);
    }
    return found;
}

bool mount_point_find(const char *folder, int fd, char *out, size_t size)
{
    char name[PROCFS_PATH_SIZE], text[1024];
    int64_t mount;
    bool found;
    int file;

    snprintf(name, sizeof(name), "fdinfo/%d", fd);
    if (procfs_read_in(folder, name, text, sizeof(text)) <= 0)
        return false;
    mount = procfs_value(text, "mnt_id:");
    if (mount == PROCFS_NONE)
        return false;
    snprintf(name, sizeof(name), "%s/mountinfo", folder);
    file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    found = search(file, mount, out, size);
    close(file);
    return found;
}
