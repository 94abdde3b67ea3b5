/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "brine.h"
#include "connect/namespaces.h"
#include "connect/peer.h"
#include "monotonic_cond.h"
#include "process.h"
#include "procfs/patient.h"

#define WAIT_NS   300000000L
#define FILE_MAX  ((off_t)16 << 20)  /* the most bytes of one file */
#define TOTAL_MAX ((size_t)64 << 20) /* the most bytes of all files together */
#define TEXT_MAX  65536              /* the most bytes of a line */
#define FILES_MAX 1000
#define NS_PER_S  1000000000
#define BLANKS    " \t\v\f\r\n"

/* ---- Reading, on a thread of its own --------------------------------------------------------- */

struct file {
    char *path;
    char *data; /* NULL: the file cannot be used */
    size_t len;
};

/* Files to read. The thread that reads the files and the thread that waits for the result each own
 * a reference to this struct. */
struct job {
    atomic_int refs;
    int root;       /* the root directory of the process */
    uid_t user;     /* the user of the process */
    int64_t latest; /* files that have changed later are not used; in ns since 1970 */
    struct file *files;
    size_t count;

    pthread_mutex_t lock; /* guards the members below */
    pthread_cond_t changed;
    size_t ready; /* the number of files that have been read; the thread still uses the others */
};

static void job_unref(struct job *job)
{
    if (atomic_fetch_sub(&job->refs, 1) > 1)
        return;
    for (size_t i = 0; i < job->count; i++) {
        free(job->files[i].path);
        free(job->files[i].data);
    }
    free(job->files);
    if (job->root >= 0)
        close(job->root);
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

static bool is_not_newer(const struct timespec *t, int64_t than)
{
    return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec <= than;
}

/* True if the file is probably the source that the process compiled: a regular file, not too large,
 * and not changed since the process was started. A change in the two clock ticks after the start is
 * allowed, because the kernel rounds the times of the file and of the start to clock ticks. */
static bool is_usable(const struct job *job, const struct stat *st)
{
    int64_t latest = job->latest + 2 * PROCESS_TICK_NS;

    return S_ISREG(st->st_mode) && st->st_size <= FILE_MAX && is_not_newer(&st->st_mtim, latest) &&
           is_not_newer(&st->st_ctim, latest);
}

/* Opens a file in the file system of the process, and fills *st. Checks first that the file is a
 * regular file, because opening a FIFO would disturb the process at the other end of the FIFO.
 * Returns a descriptor, or -1 if the file cannot be used. */
static int open_file(const struct job *job, const char *path, struct stat *st)
{
    char link[32];
    int found = namespaces_open_in_root(job->root, path), fd = -1;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
    if (found >= 0 && fstat(found, st) == 0 && is_usable(job, st))
        fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (found >= 0)
        close(found);
    return fd;
}

static void read_file(const struct job *job, struct file *file)
{
    struct stat st;
    int fd = open_file(job, file->path, &st);
    size_t len = 0;
    ssize_t n = 1;
    char *data;

    if (fd < 0)
        return;
    data = malloc((size_t)st.st_size + 1);
    while (data && len < (size_t)st.st_size && n > 0) {
        n = read(fd, data + len, (size_t)st.st_size - len);
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (data && len == (size_t)st.st_size) {
        file->data = data;
        file->len = len;
        return;
    }
    free(data);
}

static void *read_files(void *arg)
{
    struct job *job = arg;

    if (geteuid() == 0 && job->user != 0)
        syscall(SYS_setfsuid, job->user); /* changes only this thread's user */
    for (size_t i = 0, total = 0; i < job->count; i++) {
        if (total < TOTAL_MAX)
            read_file(job, &job->files[i]);
        total += job->files[i].len;
        pthread_mutex_lock(&job->lock);
        job->ready++;
        pthread_cond_signal(&job->changed);
        pthread_mutex_unlock(&job->lock);
    }
    job_unref(job);
    return NULL;
}

/* Starts the thread that reads the files. Returns false if the thread cannot be started. */
static bool start_reading(struct job *job)
{
    atomic_fetch_add(&job->refs, 1);
    if (procfs_start_thread(read_files, job) == 0)
        return true;
    atomic_fetch_sub(&job->refs, 1);
    return false;
}

/* Waits up to WAIT_NS until the files have been read. Returns the number of files that have been
 * read. */
static size_t await_files(struct job *job)
{
    struct timespec until;
    int result = 0;
    size_t ready;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NS;
    until.tv_sec += until.tv_nsec / NS_PER_S;
    until.tv_nsec %= NS_PER_S;
    pthread_mutex_lock(&job->lock);
    while (job->ready < job->count && result == 0)
        result = pthread_cond_timedwait(&job->changed, &job->lock, &until);
    ready = job->ready;
    pthread_mutex_unlock(&job->lock);
    return ready;
}

/* Makes a job without files; NULL: out of memory. The arguments are members of struct job. Takes
 * ownership of the descriptor root, also if there is no memory. */
static struct job *job_new(int root, uid_t user, int64_t latest)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job) {
        if (root >= 0)
            close(root);
        return NULL;
    }
    atomic_init(&job->refs, 1);
    pthread_mutex_init(&job->lock, NULL);
    monotonic_cond_init(&job->changed);
    job->root = root;
    job->user = user;
    job->latest = latest;
    return job;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

enum encoding { ENCODING_UTF8, ENCODING_LATIN1, ENCODING_OTHER };

/* A source file that some frames name. */
struct source {
    struct report_text path; /* the name of the file, owned by the first frame that names it */
    struct file *file;
    enum encoding encoding;
    size_t *starts; /* offsets of the lines, and the end of the last one; NULL: not indexed yet */
    size_t lines;
    struct report_text *texts; /* the lines that were already copied, by their numbers */
};

static int compare_sources(const void *a, const void *b)
{
    const struct report_text *x = &((const struct source *)a)->path,
                             *y = &((const struct source *)b)->path;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->data, y->data, x->len);
}

/* Moves *i behind the next line ending (\n, \r\n or \r). Returns false if there is none. has_cr:
 * the file contains a \r. */
static bool next_line(const struct file *file, bool has_cr, size_t *i)
{
    const char *start = file->data + *i, *end = memchr(start, '\n', file->len - *i), *cr = NULL;

    if (has_cr)
        cr = memchr(start, '\r', end ? (size_t)(end - start) : file->len - *i);
    if (cr && cr + 1 != end)
        end = cr;
    if (!end)
        return false;
    *i = (size_t)(end + 1 - file->data);
    return true;
}

static size_t count_lines(const struct file *file, bool has_cr)
{
    size_t count = 1, i = 0;

    while (next_line(file, has_cr, &i))
        count++;
    return count;
}

/* Reads the declaration of the encoding in a line, as Python's tokenizer does (PEP 263). Returns
 * false if the line has no such declaration. */
static bool find_declaration(const char *line, size_t len, enum encoding *out)
{
    static const char *const utf8[] = {"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"};
    static const char *const latin1[] = {"latin-1", "latin1", "iso-8859-1", "iso8859-1"};
    char text[128], name[32];
    const char *at;

    snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), line);
    at = strstr(text, "coding");
    if (text[strspn(text, " \t\f")] != '#' || !at || (at[6] != ':' && at[6] != '=') ||
        sscanf(at + 7, " %31[-a-zA-Z0-9_.]", name) != 1)
        return false;
    for (at = name; (at = strchr(at, '_'));)
        name[at - name] = '-';
    *out = ENCODING_OTHER;
    for (size_t i = 0; i < sizeof(utf8) / sizeof(*utf8); i++)
        if (strcasecmp(name, utf8[i]) == 0)
            *out = ENCODING_UTF8;
    for (size_t i = 0; i < sizeof(latin1) / sizeof(*latin1); i++)
        if (strcasecmp(name, latin1[i]) == 0)
            *out = ENCODING_LATIN1;
    return true;
}

/* Returns the text of a line without the blanks at both ends. *len: the length of this text in
 * bytes. */
static const char *stripped_line(const struct source *s, size_t line, size_t *len)
{
    const char *text = s->file->data + s->starts[line - 1];

    *len = s->starts[line] - s->starts[line - 1];
    while (*len > 0 && strchr(BLANKS, text[*len - 1]) && text[*len - 1])
        --*len;
    while (*len > 0 && strchr(BLANKS, *text) && *text) {
        text++;
        --*len;
    }
    return text;
}

static void find_encoding(struct source *s)
{
    const char *text;
    size_t len;

    s->encoding = ENCODING_UTF8;
    for (size_t line = 1; line <= 2 && line <= s->lines; line++) {
        text = stripped_line(s, line, &len);
        if (find_declaration(text, len, &s->encoding) || (len > 0 && *text != '#'))
            return;
    }
}

/* Finds the lines and the encoding of a file, if this was not done before. Returns false if the
 * file cannot be used, or if there is no memory. */
static bool index_lines(struct source *s)
{
    static const char mark[] = "\xef\xbb\xbf";
    const struct file *file = s->file;
    size_t i, line = 0;
    bool has_cr;

    if (s->starts)
        return true;
    if (!file->data)
        return false;
    has_cr = memchr(file->data, '\r', file->len);
    s->lines = count_lines(file, has_cr);
    s->starts = calloc(s->lines + 1, sizeof(*s->starts));
    s->texts = calloc(s->lines + 1, sizeof(*s->texts));
    if (!s->starts || !s->texts)
        return false;
    i = file->len >= 3 && memcmp(file->data, mark, 3) == 0 ? 3 : 0;
    do
        s->starts[line++] = i;
    while (next_line(file, has_cr, &i));
    s->starts[s->lines] = file->len;
    find_encoding(s);
    return true;
}

/* Copies a line into the report as UTF-8. Returns an unknown text (data is NULL) if the line is
 * empty or too long, if its bytes are not valid, or if its encoding is not supported. */
static struct report_text copy_line(struct report *r, const struct source *s, size_t line)
{
    size_t len, out = 0;
    const char *text = stripped_line(s, line, &len);
    char *copy;

    if (len == 0 || len > TEXT_MAX || s->encoding == ENCODING_OTHER)
        return (struct report_text){NULL, 0};
    if (s->encoding == ENCODING_UTF8)
        return report_text(r, brine_utf8((const uint8_t *)text, len) ? text : NULL, len);
    copy = arena_array(&r->arena, len, 2);
    for (size_t i = 0; copy && i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x80)
            copy[out++] = (char)(0xc0 | c >> 6);
        copy[out++] = (char)(c < 0x80 ? c : (0x80 | (c & 0x3f)));
    }
    return (struct report_text){copy, copy ? out : 0};
}

/* ---- Frames ---------------------------------------------------------------------------------- */

struct filler {
    struct report *report;
    struct job *job;
    bool needed; /* a frame with an absolute file name has no source */
    void *tree;  /* tsearch tree of sources, by path */
    struct source sources[FILES_MAX];
};

/* Calls a function for each frame that has no source and whose file has an absolute name. */
static void each_frame(struct filler *filler, report_frames *frames,
                       void (*call)(struct filler *filler, struct report_frame *f))
{
    for (size_t i = 0; i < frames->count; i++) {
        struct report_frame *f = &frames->items[i];

        if (!f->source.data && f->line > 0 && f->file.data && f->file.len > 0 &&
            f->file.data[0] == '/' && !memchr(f->file.data, '\0', f->file.len))
            call(filler, f);
    }
}

static void each_stack(struct filler *filler, struct report_process *p,
                       void (*call)(struct filler *filler, struct report_frame *f))
{
    for (size_t i = 0; i < p->threads.count; i++)
        each_frame(filler, &p->threads.items[i].frames, call);
    for (size_t i = 0; i < p->greenlets.count; i++)
        each_frame(filler, &p->greenlets.items[i].frames, call);
    for (size_t i = 0; i < p->tasks.count; i++)
        each_frame(filler, &p->tasks.items[i].frames, call);
}

static void ask_for(struct filler *filler, struct report_frame *f)
{
    struct job *job = filler->job;
    struct source *source = &filler->sources[job->count], **node;

    if (job->count == FILES_MAX)
        return;
    source->path = f->file;
    node = tsearch(source, &filler->tree, compare_sources);
    if (!node || *node != source)
        return;
    source->file = &job->files[job->count];
    source->file->path = strndup(f->file.data, f->file.len);
    if (source->file->path)
        job->count++;
    else
        tdelete(source, &filler->tree, compare_sources);
}

static void fill_in(struct filler *filler, struct report_frame *f)
{
    const struct source key = {.path = f->file};
    struct source **node = tfind(&key, &filler->tree, compare_sources), *source;
    struct report_text *text;

    if (!node)
        return;
    source = *node;
    if (!index_lines(source) || (uint64_t)f->line > source->lines)
        return;
    text = &source->texts[f->line];
    if (!text->data)
        *text = copy_line(filler->report, source, (size_t)f->line);
    if (!text->data)
        return;
    f->source = *text;
    f->source_status = STATUS_OK;
}

static void keep(void *unused)
{
    (void)unused;
}

/* Removes from the tree all files whose index is `ready` or higher, because the reading thread
 * still uses these files. */
static void leave_out(struct filler *filler, size_t ready)
{
    for (size_t i = ready; i < filler->job->count; i++)
        tdelete(&filler->sources[i], &filler->tree, compare_sources);
}

static void fill(struct filler *filler, struct report_process *p)
{
    struct job *job = filler->job;

    job->files = calloc(FILES_MAX, sizeof(*job->files));
    if (!job->files || job->root < 0 || job->latest == 0 || job->user == (uid_t)-1)
        return;
    each_stack(filler, p, ask_for);
    if (job->count == 0 || !start_reading(job))
        return;
    leave_out(filler, await_files(job));
    each_stack(filler, p, fill_in);
}

static void note_need(struct filler *filler, struct report_frame *f)
{
    (void)f;
    filler->needed = true;
}

/* Removes "source lines" from the list of the missing parts of the report. */
static void nothing_is_missing(struct report_process *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->missing.count; i++)
        if (!text_is(p->missing.items[i].what, "source") &&
            !text_is(p->missing.items[i].what, "source lines"))
            p->missing.items[kept++] = p->missing.items[i];
    p->missing.count = kept;
}

static void filler_free(struct filler *filler)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        free(filler->sources[i].starts);
        free(filler->sources[i].texts);
    }
    tdestroy(filler->tree, keep);
    if (filler->job)
        job_unref(filler->job);
    free(filler);
}

static struct job *job_of_process(pid_t pid)
{
    return job_new(namespaces_open_root(pid), process_user(pid), process_started_ns(pid));
}

/* Fills in the source lines and frees the filler. filler->job must be NULL if no file may be read.
 */
static void filler_run(struct filler *filler, struct report_process *p)
{
    if (filler->job) {
        fill(filler, p);
        filler->needed = false;
        each_stack(filler, p, note_need);
    }
    if (!filler->needed)
        nothing_is_missing(p);
    filler_free(filler);
}

/* Makes a filler and sets its member `needed`. Returns NULL if there is no memory. */
static struct filler *filler_new(struct report *r, struct report_process *p)
{
    struct filler *filler = calloc(1, sizeof(*filler));

    if (!filler)
        return NULL;
    filler->report = r;
    each_stack(filler, p, note_need);
    return filler;
}

void sources_fill(struct report *r, struct report_process *p, int fd)
{
    struct filler *filler = filler_new(r, p);

    if (!filler)
        return;
    if (filler->needed && p->pid > 0 && p->pid <= INT32_MAX && peer_is_process(fd, (pid_t)p->pid))
        filler->job = job_of_process((pid_t)p->pid);
    filler_run(filler, p);
}

void sources_fill_of(struct report *r, struct report_process *p, pid_t pid)
{
    struct filler *filler = filler_new(r, p);

    if (!filler)
        return;
    if (filler->needed)
        filler->job = job_of_process(pid);
    filler_run(filler, p);
}

void sources_fill_dead(struct report *r, struct report_process *p, uid_t user, int64_t latest)
{
    struct filler *filler = filler_new(r, p);

    if (!filler)
        return;
    if (filler->needed)
        filler->job = job_new(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), user, latest);
    filler_run(filler, p);
}
