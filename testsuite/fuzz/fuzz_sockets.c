/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: "T" and the kernel's tables of sockets, tcp, tcp6 and unix, with a NUL after each of the
 * first two; or "N" and datagrams of sock_diag, each after its length in two bytes. Both contain
 * names of Unix sockets, which any process that binds one can choose.
 */
#include "fuzz.h"

#include "connect/diag.h"
#include "connect/sockets.h"

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

/* Writes a table up to the NUL; returns a pointer behind it. */
static const uint8_t *write_table(const char *name, const uint8_t *data, const uint8_t *end)
{
    const uint8_t *nul = memchr(data, 0, (size_t)(end - data));
    size_t len = (size_t)((nul ? nul : end) - data);
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
    return nul ? nul + 1 : end;
}

static void read_tables(struct sockets *out, const uint8_t *data, const uint8_t *end)
{
    if (folder_fd == 0)
        make_folder();
    data = write_table("tcp", data, end);
    data = write_table("tcp6", data, end);
    write_table("unix", data, end);
    sockets_read(out, folder);
}

/* Copies each datagram to memory of exactly its size. */
static void read_datagrams(struct sockets *out, const uint8_t *data, const uint8_t *end)
{
    enum sock_diag_state state = SOCK_DIAG_MORE;
    size_t len;
    void *copy;

    *out = (struct sockets){0};
    while (end - data >= 2 && state == SOCK_DIAG_MORE) {
        len = (size_t)data[0] << 8 | data[1];
        data += 2;
        if (len > (size_t)(end - data))
            len = (size_t)(end - data);
        copy = malloc(len + 1);
        must(copy);
        memcpy(copy, data, len);
        copy = realloc(copy, len > 0 ? len : 1);
        state = diag_parse(out, copy, len);
        free(copy);
        data += len;
    }
}

static void look_at_all(const struct sockets *found)
{
    const struct sockaddr_storage *first = &found->all[0].address;
    char text[256];

    for (size_t i = 0; i < found->count; i++) {
        const struct listening *each = &found->all[i], *same = sockets_find(found, each->inode);

        must(!same || same->inode == each->inode);
        must(each->address.ss_family == AF_UNIX || each->address.ss_family == AF_INET ||
             each->address.ss_family == AF_INET6);
        sockets_describe(text, sizeof(text), &each->address);
        must(memchr(text, 0, sizeof(text)));
        sockets_is_at(&each->address, (const struct sockaddr *)first);
        if (each->address.ss_family != AF_UNIX && first->ss_family != AF_UNIX)
            sockets_is_same_host(&each->address, first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockets found;

    if (size == 0)
        return 0;
    if (data[0] == 'N')
        read_datagrams(&found, data + 1, data + size);
    else
        read_tables(&found, data + 1, data + size);
    if (found.count > 0)
        look_at_all(&found);
    sockets_free(&found);
    return 0;
}
