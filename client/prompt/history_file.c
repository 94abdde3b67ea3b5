/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "procfs/clock.h"
#include "prompt/libedit.h"

#define NO_HISTORY "no history"

/* How long to wait for the lock of the file, and the pause between two attempts, in ms. */
#define LOCK_MS       200
#define LOCK_PAUSE_MS 10

/* ---- The file's name ------------------------------------------------------------------------- */

char *history_file_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;

    if (state && state[0] == '/')
        n = asprintf(&path, "%s/pystuck/history", state);
    else if (home && home[0] == '/')
        n = asprintf(&path, "%s/.local/state/pystuck/history", home);
    if (n >= 0)
        return path;
    fputs("pystuck: no history: neither XDG_STATE_HOME nor HOME is set\n", stderr);
    return NULL;
}

/* ---- Lines of the file ----------------------------------------------------------------------- */

/* Returns a cell encoded as a line of the file, for free(). NULL: out of memory. */
static char *to_line(const char *cell)
{
    char *line = malloc(2 * strlen(cell) + 2), *p = line;

    for (; line && *cell; cell++) {
        if (*cell == '\n' || *cell == '\\')
            *p++ = '\\';
        *p++ = *cell == '\n' ? 'n' : *cell;
    }
    if (line) {
        *p++ = '\n';
        *p = '\0';
    }
    return line;
}

/* Decodes a line of the file in place. */
static void from_line(char *line)
{
    char *p = line;

    for (; *line && *line != '\n'; line++) {
        if (*line == '\\' && line[1])
            *p++ = *++line == 'n' ? '\n' : *line;
        else
            *p++ = *line;
    }
    *p = '\0';
}

/* ---- Reading and writing --------------------------------------------------------------------- */

/* Shortens the file to its latest HISTORY_FILE_MAX / 2 lines. lines: how many lines the file has.
 * The file must be locked. */
static void shorten(FILE *file, size_t lines)
{
    char *line = NULL, *kept = NULL;
    size_t size = 0, kept_size = 0, n = 0;
    FILE *copy = open_memstream(&kept, &kept_size);

    rewind(file);
    while (copy && getline(&line, &size, file) > 0) {
        if (n++ >= lines - HISTORY_FILE_MAX / 2)
            fputs(line, copy);
    }
    if (copy && fclose(copy) == 0 && ftruncate(fileno(file), 0) == 0) {
        rewind(file);
        fwrite(kept, 1, kept_size, file);
    }
    free(kept);
    free(line);
}

static void enter(History *memory, const char *cell)
{
    HistEvent event;

    if (cell[0])
        libedit.history(memory, &event, H_ENTER, cell);
}

/* Locks the file. Waits at most LOCK_MS, because the process that holds the lock may be stopped.
 * Returns 0, or -1 with *why. */
static int lock(int fd, const char *path, struct file_error *why)
{
    int64_t deadline = clock_ms() + LOCK_MS;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            snprintf(why->text, sizeof(why->text), "cannot lock %s: %s", path, strerror(errno));
            return -1;
        }
        if (clock_ms() >= deadline) {
            snprintf(why->text, sizeof(why->text), "another process has locked %s", path);
            return -1;
        }
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return 0;
}

/* Opens the file and locks it. The lock ends when the file is closed. Returns NULL with *why on
 * failure. */
static FILE *open_locked(const char *path, struct file_error *why)
{
    int folder = file_open_folder(path, why), fd = -1;
    FILE *file = NULL;

    if (folder >= 0) {
        fd = file_open_own(folder, strrchr(path, '/') + 1, path, O_RDWR | O_CREAT | O_APPEND, why);
        close(folder);
    }
    if (fd < 0)
        return NULL;
    if (lock(fd, path, why) == 0) {
        snprintf(why->text, sizeof(why->text), "%s: out of memory", path);
        fchmod(fd, 0600);
        file = fdopen(fd, "a+");
    }
    if (!file)
        close(fd);
    return file;
}

/* Prints why there is no history. Frees *path and sets it to NULL, so that the file is not used any
 * more. */
static void give_up(char **path, const char *what, const struct file_error *why)
{
    fprintf(stderr, "pystuck: %s: %s\n", what, why->text);
    free(*path);
    *path = NULL;
}

static FILE *open_or_give_up(char **path, const char *what)
{
    struct file_error why;
    FILE *file = *path ? open_locked(*path, &why) : NULL;

    if (*path && !file)
        give_up(path, what, &why);
    return file;
}

void history_file_load(History *memory, char **path)
{
    FILE *file = open_or_give_up(path, NO_HISTORY);
    char *line = NULL;
    size_t size = 0, lines = 0;

    if (!file)
        return;
    rewind(file);
    while (getline(&line, &size, file) > 0) {
        from_line(line);
        enter(memory, line);
        lines++;
    }
    if (lines > HISTORY_FILE_MAX)
        shorten(file, lines);
    free(line);
    fclose(file);
}

/* True if the latest cell of the history is equal to `cell`. */
static bool is_latest(History *memory, const char *cell)
{
    HistEvent event;

    return libedit.history(memory, &event, H_FIRST) >= 0 && strcmp(event.str, cell) == 0;
}

void history_file_add(History *memory, char **path, const char *cell)
{
    struct file_error why;
    bool is_written;
    FILE *file;
    char *line;

    if (!cell[0] || is_latest(memory, cell))
        return;
    enter(memory, cell);
    file = open_or_give_up(path, NO_HISTORY " from now on");
    if (!file)
        return;
    line = to_line(cell);
    is_written = line && fputs(line, file) >= 0;
    free(line);
    if (fclose(file) == 0 && is_written)
        return;
    snprintf(why.text, sizeof(why.text), "%s: %s", *path, strerror(errno));
    give_up(path, NO_HISTORY " from now on", &why);
}
