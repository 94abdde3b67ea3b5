/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/external_editor.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "interrupt.h"
#include "prompt/terminal.h"
#include "textfile.h"

#define SUFFIX ".py"

static const char *editor_command(void)
{
    const char *names[] = {"VISUAL", "EDITOR"};
    const char *command;
    size_t i;

    for (i = 0; i < 2; i++) {
        command = getenv(names[i]);
        if (command && command[0] != '\0')
            return command;
    }
    return "vi";
}

/* Writes text to a new file and closes the file. Sets an old modification time, so that is_saved()
 * can tell whether the editor has written the file. Returns 0, or -1 with errno. */
static int write_old(int fd, const char *text)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    FILE *file = fdopen(fd, "w");

    if (!file) {
        close(fd);
        return -1;
    }
    fputs(text, file);
    if (text[0] != '\0' && text[strlen(text) - 1] != '\n')
        fputc('\n', file);
    if (fflush(file) != 0 || futimens(fd, long_ago) != 0) {
        fclose(file);
        return -1;
    }
    return fclose(file);
}

/* Creates a temporary file with this text. Returns its path, for free(), or NULL with errno. */
static char *make_file(const char *text)
{
    const char *dir = getenv("TMPDIR");
    char *path = NULL;
    int fd, why;

    if (asprintf(&path, "%s/pystuck-XXXXXX" SUFFIX, dir && dir[0] != '\0' ? dir : "/tmp") < 0)
        return NULL;
    fd = mkostemps(path, (int)strlen(SUFFIX), O_CLOEXEC);
    if (fd >= 0 && write_old(fd, text) == 0)
        return path;
    why = errno;
    if (fd >= 0)
        unlink(path);
    free(path);
    errno = why;
    return NULL;
}

/* Runs the editor on a file. The editor's command may contain arguments. Returns the status from
 * waitpid(), or -1 if the editor could not be started. */
static int run_editor(const char *path)
{
    char *command = NULL;
    char *argv[] = {"sh", "-c", NULL, "sh", (char *)path, NULL};
    int status = -1;
    pid_t pid;

    if (asprintf(&command, "%s \"$1\"", editor_command()) < 0)
        return -1;
    argv[2] = command;
    terminal_run();
    terminal_lend(true);
    errno = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
    free(command);
    if (errno == 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ; /* the editor handles Ctrl-C */
    }
    terminal_lend(false);
    interrupt_take();
    return status;
}

static bool is_saved(const char *path)
{
    struct stat file;

    return lstat(path, &file) == 0 && file.st_mtim.tv_sec > 1;
}

/* Reads the file that the editor has saved. Refuses a file of another user, because other users may
 * write to the directory of the file. On failure, prints an error and returns NULL. */
static char *saved_text(const char *path)
{
    struct file_error why;
    int fd = file_open_own(AT_FDCWD, path, path, O_RDONLY, &why);
    char *text;

    if (fd < 0) {
        fprintf(stderr, "cannot read the file that the editor saved: %s\n", why.text);
        return NULL;
    }
    text = textfile_read_fd(fd);
    if (!text)
        fprintf(stderr, "cannot read the file that the editor saved: %s\n", strerror(errno));
    return text;
}

static char *edited(const char *path)
{
    if (run_editor(path) != 0) {
        fputs("the editor failed: nothing is run\n", stderr);
        return NULL;
    }
    if (!is_saved(path)) {
        fputs("the editor saved nothing: nothing is run\n", stderr);
        return NULL;
    }
    return saved_text(path);
}

char *external_editor_run(const char *text)
{
    char *path = make_file(text);
    char *saved;

    if (!path) {
        fprintf(stderr, "cannot create a file for the editor: %s\n", strerror(errno));
        return NULL;
    }
    saved = edited(path);
    unlink(path);
    free(path);
    return saved;
}
