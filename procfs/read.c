/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/read.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/clock.h"

ssize_t procfs_read(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = 0;

    out[0] = '\0';
    if (fd < 0)
        return -1;
    while (len < size - 1) {
        n = read(fd, out + len, size - 1 - len);
        if (n > 0)
            len += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    close(fd);
    out[len] = '\0';
    return n < 0 && len == 0 ? -1 : (ssize_t)len;
}

ssize_t procfs_read_in(const char *folder, const char *name, char *out, size_t size)
{
    char path[PROCFS_PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

    out[0] = '\0';
    return n < (int)sizeof(path) ? procfs_read(path, out, size) : -1;
}

bool procfs_read_lines(const char *path, int64_t deadline, bool (*each)(void *arg, char *line),
                       void *arg)
{
    char text[4 * PROCFS_LINE_SIZE + 1], *line, *end;
    bool goes_on = true, is_rest = false; /* text begins with the rest of a line that is left out */
    size_t len = 0;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC), error;

    if (fd < 0)
        return false;
    while (goes_on && clock_ms() < deadline &&
           (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        for (line = text; goes_on && (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            if (!is_rest && end - line <= PROCFS_LINE_SIZE)
                goes_on = each(arg, line);
            is_rest = false;
        }
        len -= (size_t)(line - text);
        is_rest = is_rest || len > PROCFS_LINE_SIZE;
        len = is_rest ? 0 : len;
        memmove(text, line, len);
    }
    error = errno;
    close(fd);
    errno = error;
    return goes_on && n == 0;
}

/* Parses a number that is not negative. Returns PROCFS_NONE if the text does not begin with such a
 * number. */
static int64_t number(const char *text)
{
    long long value;

    while (*text == ' ' || *text == '\t')
        text++;
    if (!isdigit((unsigned char)*text))
        return PROCFS_NONE;
    errno = 0;
    value = strtoll(text, NULL, 10);
    return errno == 0 ? value : PROCFS_NONE;
}

int64_t procfs_value(const char *text, const char *label)
{
    size_t len = strlen(label);

    while (text && strncmp(text, label, len) != 0) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return text ? number(text + len) : PROCFS_NONE;
}

int64_t procfs_number_in(const char *folder, const char *name)
{
    char text[64];

    return procfs_read_in(folder, name, text, sizeof(text)) > 0 ? number(text) : PROCFS_NONE;
}
