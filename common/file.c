/* SPDX-License-Identifier: BSD-3-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user.h"

#ifndef RENAME_NOREPLACE /* from linux/fs.h; glibc has it in stdio.h as well */
#define RENAME_NOREPLACE 1
#endif

static int say(struct file_error *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Formats the text of *why. Returns -1. */
static int say(struct file_error *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    return -1;
}

static int say_errno(struct file_error *why, const char *path)
{
    return say(why, "%s: %s", path, strerror(errno));
}

static int say_owner(struct file_error *why, const char *path, uid_t owner)
{
    return say(why, "%s belongs to %s", path, user_describe(owner).text);
}

/* ---- Files of the user ----------------------------------------------------------------------- */

static int check_own(int fd, const char *path, struct file_error *why)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return say_errno(why, path);
    if (!S_ISREG(st.st_mode))
        return say(why, "%s is not a regular file", path);
    if (st.st_uid != geteuid())
        return say_owner(why, path, st.st_uid);
    if (st.st_nlink != 1)
        return say(why, "%s has more than one hard link", path);
    return 0;
}

int file_open_own(int folder, const char *name, const char *path, int flags, struct file_error *why)
{
    int fd = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

    if (fd < 0 && errno == ELOOP)
        return say(why, "%s is a symbolic link", path);
    if (fd < 0)
        return say_errno(why, path);
    if (check_own(fd, path, why) == 0)
        return fd;
    close(fd);
    return -1;
}

int file_open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

/* ---- Directories ----------------------------------------------------------------------------- */

/* True if files and directories of this owner may be used. This is so for the effective user and
 * for root. In a user namespace, this is also so for the overflow uid, because root's files can
 * appear to belong to the overflow uid. */
static bool is_trusted(uid_t owner)
{
    return owner == geteuid() || owner == 0 || user_is_anyone(owner);
}

bool file_is_trusted(const char *path, struct file_error *why)
{
    struct stat st;

    why->text[0] = '\0';
    if (stat(path, &st) < 0)
        return false;
    if (!S_ISREG(st.st_mode))
        say(why, "%s is not a regular file", path);
    else if (!is_trusted(st.st_uid))
        say_owner(why, path, st.st_uid);
    return why->text[0] == '\0';
}

static bool is_own(int folder)
{
    struct stat st;

    return fstat(folder, &st) == 0 && st.st_uid == geteuid();
}

/* Checks that the owner of `name` in the directory `folder` is trusted. Creates `name` as a
 * directory if it does not exist. path: the path of `name`, for messages. */
static int prepare(int folder, const char *name, const char *path, struct file_error *why)
{
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return is_trusted(st.st_uid) ? 0 : say_owner(why, path, st.st_uid);
    if (errno != ENOENT)
        return say_errno(why, path);
    if (!is_own(folder))
        return say(why, "%s does not exist", path);
    if (mkdirat(folder, name, 0700) < 0 && errno != EEXIST)
        return say_errno(why, path);
    return 0;
}

/* Opens the directory `name` in the directory `folder`. Closes `folder`, also on failure. Creates
 * `name` if it does not exist. path: the path of `name`. Returns a descriptor, or -1 with *why. */
static int enter(int folder, const char *name, const char *path, struct file_error *why)
{
    int next = -1;
    struct stat st;

    if (prepare(folder, name, path, why) == 0) {
        next = openat(folder, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (next < 0 || fstat(next, &st) < 0)
            say_errno(why, path);
        else if (!is_trusted(st.st_uid)) {
            say_owner(why, path, st.st_uid);
            close(next);
            next = -1;
        }
    }
    close(folder);
    return next;
}

int file_open_folder(const char *path, struct file_error *why)
{
    int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char copy[PATH_MAX], *name = copy, *slash;
    struct stat st;

    if (folder < 0 || (size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy)) {
        say(why, "%.64s...: the path is too long", path);
        if (folder >= 0)
            close(folder);
        return -1;
    }
    while (folder >= 0 && (slash = strchr(name, '/'))) {
        *slash = '\0';
        if (*name && strcmp(name, ".") != 0)
            folder = enter(folder, name, copy, why);
        *slash = '/';
        name = slash + 1;
    }
    if (folder < 0 || (fstat(folder, &st) == 0 && st.st_uid == geteuid()))
        return folder;
    name[-1] = '\0';
    say_owner(why, copy, st.st_uid);
    close(folder);
    return -1;
}

/* ---- New files ------------------------------------------------------------------------------- */

int file_begin(struct file_new *out, int folder, mode_t mode)
{
    uint64_t number;
    int fd = -1;

    *out = (struct file_new){.folder = folder};
    do {
        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            return -1;
        snprintf(out->temporary, sizeof(out->temporary), ".pystuck-%016llx",
                 (unsigned long long)number);
        fd = openat(folder, out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EEXIST);
    out->stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (out->stream)
        return 0;
    if (fd >= 0) {
        close(fd);
        unlinkat(folder, out->temporary, 0);
    }
    return -1;
}

/* Renames the temporary file to `name`. Fails with EEXIST if a file of that name exists. Uses a
 * hard link on file systems that do not support RENAME_NOREPLACE. Uses syscall(), because musl has
 * no renameat2(). */
static int move(const struct file_new *file, const char *name)
{
    if (syscall(SYS_renameat2, file->folder, file->temporary, file->folder, name,
                RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(file->folder, file->temporary, file->folder, name, 0) < 0)
        return -1;
    unlinkat(file->folder, file->temporary, 0);
    return 0;
}

int file_commit(struct file_new *file, const char *name, int replace)
{
    bool is_written = fflush(file->stream) == 0 && !ferror(file->stream) &&
                      (fsync(fileno(file->stream)) == 0 || errno == EINVAL);
    int result;

    if (!is_written) {
        file_abandon(file);
        return -1;
    }
    result = fclose(file->stream);
    file->stream = NULL;
    if (result == 0)
        result = replace ? renameat(file->folder, file->temporary, file->folder, name)
                         : move(file, name);
    if (result < 0)
        file_abandon(file);
    else
        fsync(file->folder); /* fails for O_PATH, which does not matter */
    return result;
}

void file_abandon(struct file_new *file)
{
    int why = errno;

    if (file->stream)
        fclose(file->stream);
    file->stream = NULL;
    unlinkat(file->folder, file->temporary, 0);
    errno = why;
}
