/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/core_trouble.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void trouble_open(char *out, size_t size, const char *path)
{
    if (errno == EISDIR)
        snprintf(out, size, "%s is a directory, not a core file", path);
    else if (errno == EINVAL)
        snprintf(out, size, "%s is not a regular file: a core file must be one", path);
    else
        snprintf(out, size, "cannot open %s: %s", path, strerror(errno));
}

/* ---- Compressed files ------------------------------------------------------------------------ */

struct compression {
    const char *magic;
    size_t size;
    const char *name, *command; /* command: a program that writes the result to standard output */
};

/* Finds out from the first bytes of a file how the file is compressed. NULL: not compressed. */
static const struct compression *find_compression(int fd)
{
    static const struct compression known[] = {
        {"\x28\xb5\x2f\xfd", 4, "zstd", "zstd -dc"},
        {"\x04\x22\x4d\x18", 4, "lz4", "lz4 -dc"},
        {"\xfd\x37zXZ", 5, "xz", "xz -dc"},
        {"\x1f\x8b", 2, "gzip", "gzip -dc"},
        {"BZh", 3, "bzip2", "bzip2 -dc"},
    };
    char head[8] = "";
    ssize_t n = pread(fd, head, sizeof(head), 0);
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (n >= (ssize_t)known[i].size && memcmp(head, known[i].magic, known[i].size) == 0)
            return &known[i];
    }
    return NULL;
}

/* Reads the process ID in the name of a file of systemd-coredump, such as
 * core.python3.1000.0123456789abcdef0123456789abcdef.4711.1700000000000000.zst. Sets *pid to the
 * first digit of the ID and returns the number of its digits. Returns 0 if the file does not have
 * such a name. */
static int find_pid(const char *path, const char **pid)
{
    const char *name = strrchr(path, '/'), *parts[4], *dot;
    size_t i;

    name = name ? name + 1 : path;
    dot = name + strlen(name);
    if (strncmp(name, "core.", 5) != 0)
        return 0;
    for (i = 0; i < 4; i++) { /* .zst, the time, the process ID, the ID of the boot */
        while (dot > name && *--dot != '.')
            ;
        parts[i] = dot;
    }
    if (parts[3] == name || parts[2] - parts[3] != 33 ||
        strspn(parts[3] + 1, "0123456789abcdef") != 32)
        return 0;
    *pid = parts[2] + 1;
    return isdigit((unsigned char)**pid) ? (int)strspn(*pid, "0123456789") : 0;
}

/* Returns the path if it can be typed in a shell without quotes, or else the word FILE. */
static const char *in_command(const char *path)
{
    size_t harmless = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_./-+=:,@%");

    return path[harmless] || *path == '-' ? "FILE" : path;
}

static void say_compressed(char *out, size_t size, const char *path, const struct compression *c)
{
    const char *pid;
    int len = find_pid(path, &pid);

    if (len > 0)
        snprintf(out, size,
                 "%s is compressed with %s: unpack it with `coredumpctl dump %.*s -o core` or `%s "
                 "%s > core`, then run pystuck --core core",
                 path, c->name, len, pid, c->command, in_command(path));
    else
        snprintf(out, size,
                 "%s is compressed with %s: unpack it with `%s %s > core`, then run pystuck --core "
                 "core",
                 path, c->name, c->command, in_command(path));
}

/* ---- Core files ------------------------------------------------------------------------------ */

static const char *name_of(uint16_t machine)
{
    const char *name = elf_machine_name(machine);

    return name ? name : "another kind of machine";
}

static void say_no_core(char *out, size_t size, const char *path, int fd)
{
    const struct compression *compression = find_compression(fd);
    char byte;

    if (compression)
        say_compressed(out, size, path, compression);
    else if (pread(fd, &byte, 1, 0) == 0)
        snprintf(out, size, "%s is empty", path);
    else
        snprintf(out, size, "%s is not a core file", path);
}

void trouble_core(char *out, size_t size, const char *path, int fd, enum core_result result,
                  uint16_t machine)
{
    switch (result) {
    case CORE_OK:
        return;
    case CORE_NOT_ELF:
        say_no_core(out, size, path, fd);
        return;
    case CORE_NOT_CORE:
        snprintf(out, size, "%s is an executable, a library or an object file, not a core file",
                 path);
        return;
    case CORE_CUT:
        snprintf(out, size,
                 "%s is cut within its headers, which say where the memory is: nothing can be read",
                 path);
        return;
    case CORE_32_BIT:
        snprintf(out, size,
                 "%s is the core file of a 32-bit program (%s): pystuck reads only core files of "
                 "64-bit programs",
                 path, name_of(machine));
        return;
    case CORE_OTHER_MACHINE:
        snprintf(out, size,
                 "%s is the core file of a program for %s: run pystuck on such a machine; this "
                 "machine is %s",
                 path, name_of(machine), name_of(elf_own_machine()));
        return;
    case CORE_UNREADABLE:
        snprintf(out, size, "cannot read %s: %s", path, strerror(errno));
        return;
    case CORE_NO_MEMORY:
        snprintf(out, size, "out of memory");
        return;
    }
}

/* Writes a number of bytes with its unit. */
static void put_size(char out[32], uint64_t bytes)
{
    if (bytes < 1000)
        snprintf(out, 32, "%d bytes", (int)bytes);
    else if (bytes < 1000000)
        snprintf(out, 32, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
}

void trouble_cut(char *out, size_t size, const struct core *core)
{
    char there[32], complete[32];

    put_size(there, core->size);
    put_size(complete, core->complete);
    snprintf(out, size, "is cut: %s of %s are there", there, complete);
}

/* ---- Executables and libraries --------------------------------------------------------------- */

/* Appends the build ID that a file must have. */
static void put_build_id(char *out, size_t size, const struct elf_build_id *id)
{
    char hex[BUILD_ID_TEXT_SIZE];

    build_id_text(id, hex);
    if (id->size > 0)
        snprintf(out, size, " (build ID %s)", hex);
    else
        out[0] = '\0';
}

static void say_other(char *out, size_t size, const char *given, const struct core_images *images)
{
    size_t file = core_executable(images->core);
    char id[BUILD_ID_TEXT_SIZE + 16];

    if (file == CORE_NO_FILE) {
        snprintf(out, size,
                 "%s cannot be used: the core file does not say which files the process had mapped",
                 given);
        return;
    }
    put_build_id(id, sizeof(id), core_images_build_id(images, file));
    snprintf(
        out, size,
        "%s is none of the files that the process had mapped: the executable of the process was "
        "%s%s",
        given, images->core->files[file].path, id);
}

void trouble_given(char *out, size_t size, const char *given, const struct core_images *images,
                   enum give_result result)
{
    switch (result) {
    case GIVE_OK:
        return;
    case GIVE_UNREADABLE:
        if (errno == EISDIR || errno == EINVAL)
            snprintf(out, size, "%s is not a regular file: --exe needs an executable", given);
        else
            snprintf(out, size, "cannot open %s: %s", given, strerror(errno));
        return;
    case GIVE_NOT_ELF:
        snprintf(out, size, "%s is not an executable or library for this machine", given);
        return;
    case GIVE_OTHER:
        say_other(out, size, given, images);
        return;
    case GIVE_TOO_MANY:
        snprintf(out, size, "--exe can be given at most %d times", IMAGES_GIVEN_MAX);
        return;
    }
}

void trouble_image(char *out, size_t size, const char *path, const struct core_images *images,
                   size_t file)
{
    const char *name = images->core->files[file].path;
    char id[BUILD_ID_TEXT_SIZE + 16];

    put_build_id(id, sizeof(id), core_images_build_id(images, file));
    switch (core_images_get(images, file)->state) {
    case IMAGE_NEW:
    case IMAGE_FOUND:
        return;
    case IMAGE_MISSING:
        snprintf(
            out, size,
            "%s cannot be read without %s%s, which is not on this machine: name this file with "
            "--exe FILE",
            path, name, id);
        return;
    case IMAGE_REPLACED:
        snprintf(out, size,
                 "%s cannot be read without %s%s, and this file has been replaced since: name a "
                 "copy of the old file with --exe FILE",
                 path, name, id);
        return;
    case IMAGE_BLOCKED:
        snprintf(out, size,
                 "%s cannot be read without %s%s, which cannot be opened: its disk or file "
                 "server does not answer. Name a copy of the file with --exe FILE",
                 path, name, id);
        return;
    case IMAGE_UNCHECKED:
        snprintf(out, size,
                 "%s cannot be read without %s, and does not contain the build ID of this file: if "
                 "the file has not changed since, name the file with --exe FILE",
                 path, name);
        return;
    }
}
