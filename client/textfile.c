/* SPDX-License-Identifier: BSD-3-Clause */
#include "textfile.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The home directory of a user of that name, or our own for "". NULL: there is none. */
static const char *home_of(const char *user)
{
    const char *home = getenv("HOME");
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

/* Copies a file. 0, or -1 with errno. */
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
    FILE *file = fopen(path, "re");
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
