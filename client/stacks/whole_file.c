/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/whole_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((off_t)1 << 30) /* the largest file whose sections are read */

const void *whole_file_read(int fd, size_t *size)
{
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;
    char *data;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_MAX)
        return NULL;
    data = malloc((size_t)st.st_size);
    if (!data)
        return NULL;
    while (len < (size_t)st.st_size && n != 0) {
        n = pread(fd, data + len, (size_t)st.st_size - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        len += (size_t)n;
    }
    *size = len;
    return data;
}

void whole_file_close(const struct locate_files *files, const void *data, size_t size)
{
    (void)files;
    (void)size;
    free((void *)(uintptr_t)data);
}
