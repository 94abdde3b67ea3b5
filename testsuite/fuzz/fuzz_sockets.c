/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: the kernel's tables of sockets, tcp, tcp6 and unix, with a NUL after each of the first
 * two. Whoever binds a Unix socket writes its name into the last one.
 */
#include "fuzz.h"

#include "sockets.h"

static char folder[] = "/tmp/pystuck-fuzz-XXXXXX";
static int folder_fd;

static void remove_folder(void)
{
    unlinkat(folder_fd, "tcp", 0);
    unlinkat(folder_fd, "tcp6", 0);
    unlinkat(folder_fd, "unix", 0);
    rmdir(folder);
}

static void make_folder(void)
{
    must(mkdtemp(folder));
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(folder_fd >= 0);
    atexit(remove_folder);
}

/* Writes a table up to the NUL; returns what is behind that. */
static const uint8_t *write_table(const char *name, const uint8_t *data, const uint8_t *end)
{
    const uint8_t *nul = memchr(data, 0, (size_t)(end - data));
    size_t len = (size_t)((nul ? nul : end) - data);
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
    return nul ? nul + 1 : end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    struct sockets found;
    char text[256];
    size_t i;

    if (folder_fd == 0)
        make_folder();
    data = write_table("tcp", data, end);
    data = write_table("tcp6", data, end);
    write_table("unix", data, end);
    sockets_read(&found, folder);
    for (i = 0; i < found.count; i++) {
        const struct listening *each = &found.all[i], *same = sockets_find(&found, each->inode);

        must(!same || same->inode == each->inode);
        sockets_describe(text, sizeof(text), &each->address);
        must(memchr(text, 0, sizeof(text)));
        sockets_is_at(&each->address, (const struct sockaddr *)&found.all[0].address);
    }
    sockets_free(&found);
    return 0;
}
