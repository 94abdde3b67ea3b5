/* SPDX-License-Identifier: BSD-3-Clause */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns the home directory of the named user, or of the current user if the name is "". NULL:
 * there is no such user. */
static const char *home_of(const char *user)
{
    const char *home = secure_getenv("HOME");
    const struct passwd *entry;

    if (user[0] == '\0' && home && home[0] != '\0')
        return home;
    entry = user[0] == '\0' ? getpwuid(getuid()) : getpwnam(user);
    return entry ? entry->pw_dir : NULL;
}

char *textfile_path(const char *name)
{
    size_t len = strcspn(name, "/");
    char *user = name[0] == '~' ? strndup(name + 1, len - 1) : NULL;
    const char *home = user ? home_of(user) : NULL;
    char *path = NULL;

    free(user);
    if (!home)
        return strdup(name);
    return asprintf(&path, "%s%s", home, name + len) < 0 ? NULL : path;
}

/* Copies a file. Returns 0, or -1 with errno. */
static int copy_file(FILE *from, FILE *to)
{
    char bytes[65536];
    size_t n;

    while ((n = fread(bytes, 1, sizeof(bytes), from)) > 0)
        fwrite(bytes, 1, n, to);
    return ferror(from) ? -1 : 0;
}

char *textfile_read(const char *path)
{
    return textfile_read_fd(file_open_to_read(path));
}

char *textfile_read_fd(int fd)
{
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char *text = NULL;
    size_t len = 0;
    FILE *copy = file ? open_memstream(&text, &len) : NULL;
    int why = errno, status = -1;

    if (copy) {
        status = copy_file(file, copy);
        why = errno;
        if (fclose(copy) != 0)
            status = -1;
    }
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    if (status == 0 && strlen(text) < len) {
        status = -1;
        why = EILSEQ;
    }
    if (status == 0)
        return text;
    free(text);
    errno = why;
    return NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int say(struct file_error *why, const char *text)
{
    snprintf(why->text, sizeof(why->text), "%s", text);
    return -1;
}

/* Opens the directory part of a path. Returns a descriptor (O_PATH), or -1 with errno. Sets *name
 * to the last part of the path. */
static int open_folder_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    *name = slash ? slash + 1 : path;
    free(folder);
    return fd;
}

/* Checks that there is no file at the path, or that the file there may be replaced. Stores the mode
 * of an old file in *mode. Returns 0, or -1 with *why. */
static int check_place(const struct textfile *file, mode_t *mode, struct file_error *why)
{
    struct stat st;

    if (fstatat(file->folder, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : say(why, strerror(errno));
    if (!file->replace) {
        errno = EEXIST;
        return say(why, strerror(errno));
    }
    errno = 0;
    if (S_ISLNK(st.st_mode))
        return say(why, "it is a symbolic link");
    if (!S_ISREG(st.st_mode))
        return say(why, "it is not a regular file");
    if (st.st_uid != geteuid())
        return say(why, "it belongs to another user");
    *mode = st.st_mode & 0777;
    return 0;
}

int textfile_begin(struct textfile *out, const char *path, bool replace, struct file_error *why)
{
    mode_t mode = 0;

    *out = (struct textfile){.replace = replace};
    out->folder = open_folder_of(path, &out->name);
    if (out->folder < 0)
        return say(why, strerror(errno));
    if (check_place(out, &mode, why) == 0) {
        if (file_begin(&out->new, out->folder, mode != 0 ? mode : 0666) == 0) {
            if (mode != 0)
                fchmod(fileno(out->new.stream), mode);
            return 0;
        }
        say(why, strerror(errno));
    }
    close(out->folder);
    return -1;
}

int textfile_commit(struct textfile *file, struct file_error *why)
{
    int result = file_commit(&file->new, file->name, file->replace);

    if (result < 0)
        say(why, strerror(errno));
    close(file->folder);
    return result;
}
