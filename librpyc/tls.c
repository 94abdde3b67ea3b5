/* SPDX-License-Identifier: BSD-3-Clause */
#include "tls.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef RPYC_LIBDIR
#define RPYC_LIBDIR "/usr/local/lib"
#endif

/* The program or the shared object that contains this code. */
struct own {
    char directory[PATH_MAX]; /* without symbolic links */
    uid_t owner;              /* of the file */
};

/* Writes the path of the file that contains this code. Returns false if the path is not known for
 * certain. dladdr has no path of the main program: it returns argv[0]. */
static bool own_path(char *path, size_t size)
{
    Dl_info own, program;
    ssize_t len;

    if (dladdr((void *)own_path, &own) &&
        !(dladdr((void *)getauxval(AT_PHDR), &program) && program.dli_fbase == own.dli_fbase))
        len = snprintf(path, size, "%s", own.dli_fname);
    else
        len = readlink("/proc/self/exe", path, size);
    if (len <= 0 || (size_t)len >= size || path[0] != '/')
        return false;
    path[len] = '\0';
    return true;
}

static bool find_own(struct own *own)
{
    char path[PATH_MAX];
    struct stat st;

    if (!own_path(path, sizeof(path)) || stat(path, &st) < 0)
        return false;
    own->owner = st.st_uid;
    strrchr(path, '/')[1] = '\0';
    return realpath(path, own->directory);
}

/* True if the folder contains this code, directly or in a folder below it. */
static bool contains(const char *folder, const struct own *own)
{
    size_t len = strlen(folder);

    return strncmp(own->directory, folder, len) == 0 &&
           (own->directory[len] == '/' || own->directory[len] == '\0');
}

/* True if other users cannot replace a library. They cannot if the file, and each folder that
 * contains it, belongs to root, to this user or to the owner of this code, and is not writable for
 * all. Folders that also contain this code are not checked: the user has trusted them already. They
 * may be writable for all, as /tmp is. path: without symbolic links. */
static bool is_trusted(const char *path, const struct own *own)
{
    char part[PATH_MAX];
    struct stat st;

    for (snprintf(part, sizeof(part), "%s", path); !contains(part, own);
         *strrchr(part, '/') = '\0') {
        if (stat(part, &st) < 0 || st.st_mode & S_IWOTH)
            return false;
        if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != own->owner)
            return false;
    }
    return true;
}

/* The directories in which librpyc-ssl may be, relative to the directory of this code. */
static const char *const places[] = {
#ifdef RELOCATABLE /* a wheel: the library is in the package, the programs are where pip puts them \
                    */
    "pystuck",
    "../pystuck",
    "../lib/python" PYTHON_SHORT_VERSION "/site-packages/pystuck",
    "../lib/python" PYTHON_SHORT_VERSION "/dist-packages/pystuck",
    "../lib64/python" PYTHON_SHORT_VERSION "/site-packages/pystuck",
#endif
    "../librpyc/.libs", /* the build tree, if this code has not been installed */
    "../../librpyc/.libs",
};

/* Loads librpyc-ssl from the first of `places` that has one which other users cannot replace.
 * Returns NULL if none of them has it. refused: receives the path of a library that other users can
 * replace. */
static void *open_beside(char refused[PATH_MAX])
{
    char path[PATH_MAX + 64], found[PATH_MAX];
    void *library = NULL;
    struct own own;

    if (!find_own(&own))
        return NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !library; i++) {
        snprintf(path, sizeof(path), "%s/%s/" TLS_LIBRARY, own.directory, places[i]);
        if (!realpath(path, found))
            continue;
        if (is_trusted(found, &own))
            library = dlopen(found, RTLD_NOW | RTLD_LOCAL);
        else
            snprintf(refused, PATH_MAX, "%s", found);
    }
    return library;
}

/* Loads librpyc-ssl from where it is installed, or else from one of `places`, or else from where
 * dlopen(3) searches. The library stays loaded. refused: as for open_beside. */
static void *open_library(char refused[PATH_MAX])
{
    void *library = NULL;

#ifndef RELOCATABLE /* what was configured may be another installation */
    library = dlopen(RPYC_LIBDIR "/" TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
#endif
    if (!library)
        library = open_beside(refused);
    return library ? library : dlopen(TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

/* Fills err if the library cannot be loaded. why: the text of dlerror(). There is no error code, so
 * the text shows whether the library is missing. refused: a library that open_beside refused, or an
 * empty string. */
static void not_loaded(const char *why, const char *refused, struct rpyc_error *err)
{
    bool is_missing = strncmp(why, TLS_LIBRARY ": cannot open", strlen(TLS_LIBRARY) + 13) == 0;

    if (is_missing && refused[0])
        error_tls(err, RPYC_TLS_BAD_LIBRARY,
                  "TLS needs " TLS_LIBRARY ": other users can replace %s", refused);
    else
        error_tls(err, is_missing ? RPYC_TLS_NO_LIBRARY : RPYC_TLS_BAD_LIBRARY,
                  "TLS needs " TLS_LIBRARY ": %s", why);
}

/* Loads the library and returns its functions; NULL with RPYC_ETLS. */
static const struct stream_tls *load(struct rpyc_error *err)
{
    char refused[PATH_MAX] = "";
    void *library = open_library(refused);
    const struct stream_tls *tls;

    if (!library) {
        not_loaded(dlerror(), refused, err);
        return NULL;
    }
    tls = dlsym(library, TLS_SYMBOL);
    if (tls && tls->version == TLS_VERSION)
        return tls->load(err) == 0 ? tls : NULL;
    error_tls(err, RPYC_TLS_OTHER_LIBRARY,
              TLS_LIBRARY
              " does not belong to this version of librpyc: install both from one build");
    return NULL;
}

int tls_connect(struct stream *s, const struct rpyc_tls *options, const char *host,
                deadline_t deadline, struct rpyc_error *err)
{
    const struct stream_tls *tls = load(err);

    if (!tls || tls->connect(s, options, host, deadline, err) < 0)
        return -1;
    s->tls = tls;
    return 0;
}

/* ---- Servers -------------------------------------------------------------------------------- */

#define FILES 4

/* Identifies the contents of a file. If one of the members differs, the file was replaced or
 * changed. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

/* What librpyc-ssl made from the server's files. */
struct context {
    atomic_int refs; /* one for the server, and one for each running handshake */
    void *made;      /* the context of server_new; freed with server_free */
};

struct tls_server {
    const struct stream_tls *tls;
    struct tls_server_options options; /* copies */
    pthread_mutex_t renewing;          /* held while the files are read; guards `seen` */
    struct stamp seen[FILES];
    pthread_mutex_t lock; /* guards `context`; no thread waits while it holds this */
    struct context *context;
};

static void context_unref(const struct stream_tls *tls, struct context *context)
{
    if (!context || atomic_fetch_sub(&context->refs, 1) > 1)
        return;
    tls->server_free(context->made);
    free(context);
}

/* Returns a new reference to the current context. */
static struct context *current_context(struct tls_server *server)
{
    struct context *context;

    pthread_mutex_lock(&server->lock);
    context = server->context;
    atomic_fetch_add(&context->refs, 1);
    pthread_mutex_unlock(&server->lock);
    return context;
}

/* Fills stamps for the current files. If a file is missing, fills its stamp with zeros. */
static void stamp_files(const struct tls_server_options *o, struct stamp stamps[FILES])
{
    const char *files[FILES] = {o->cert_file, o->key_file, o->ca_file, o->crl_file};
    struct stat st;
    size_t i;

    memset(stamps, 0, FILES * sizeof(*stamps));
    for (i = 0; i < FILES; i++) {
        if (!files[i] || stat(files[i], &st) < 0)
            continue;
        stamps[i].device = st.st_dev;
        stamps[i].inode = st.st_ino;
        stamps[i].size = st.st_size;
        stamps[i].modified = st.st_mtim;
        stamps[i].changed = st.st_ctim;
    }
}

/* Reads the files and makes the result the current context. */
static int read_files(struct tls_server *server, struct rpyc_error *err)
{
    struct context *context = calloc(1, sizeof(*context)), *former;

    if (!context)
        return error_nomem(err);
    atomic_init(&context->refs, 1);
    if (server->tls->server_new(&context->made, &server->options, err) < 0) {
        free(context);
        return -1;
    }
    pthread_mutex_lock(&server->lock);
    former = server->context;
    server->context = context;
    pthread_mutex_unlock(&server->lock);
    context_unref(server->tls, former);
    return 0;
}

int tls_server_renew(struct tls_server *server, struct rpyc_error *err)
{
    struct stamp now[FILES];
    int result = 0;

    if (pthread_mutex_trylock(&server->renewing) !=
        0) /* reading may be slow: skip if another thread does it */
        return 0;
    stamp_files(&server->options, now);
    if (memcmp(now, server->seen, sizeof(now)) != 0)
        result = read_files(server, err) < 0 ? -1 : 1;
    if (result == 1)
        memcpy(server->seen, now, sizeof(now));
    pthread_mutex_unlock(&server->renewing);
    return result;
}

static void free_subjects(char **subjects)
{
    char **each;

    for (each = subjects; each && *each; each++)
        free(*each);
    free(subjects);
}

static char **copy_subjects(const char *const *subjects)
{
    size_t i, n = 0;
    char **copy;

    while (subjects[n])
        n++;
    copy = calloc(n + 1, sizeof(*copy));
    for (i = 0; copy && i < n; i++) {
        copy[i] = strdup(subjects[i]);
        if (!copy[i]) {
            free_subjects(copy);
            return NULL;
        }
    }
    return copy;
}

/* Copies a string of the options. False: out of memory. NULL stays NULL. */
static bool copy_text(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

static bool copy_options(struct tls_server_options *to, const struct tls_server_options *from)
{
    char **subjects = from->subjects ? copy_subjects(from->subjects) : NULL;

    *to = (struct tls_server_options){.client_cert = from->client_cert,
                                      .only_tls_1_2 = from->only_tls_1_2,
                                      .subjects = (const char *const *)subjects};
    return (subjects || !from->subjects) && copy_text(&to->cert_file, from->cert_file) &&
           copy_text(&to->key_file, from->key_file) && copy_text(&to->ca_file, from->ca_file) &&
           copy_text(&to->ciphers, from->ciphers) && copy_text(&to->crl_file, from->crl_file);
}

int tls_server_new(struct tls_server **out, const struct tls_server_options *options,
                   struct rpyc_error *err)
{
    const struct stream_tls *tls = load(err);
    struct tls_server *server;

    if (!tls)
        return -1;
    server = calloc(1, sizeof(*server));
    if (!server)
        return error_nomem(err);
    server->tls = tls;
    pthread_mutex_init(&server->renewing, NULL);
    pthread_mutex_init(&server->lock, NULL);
    if (!copy_options(&server->options, options)) {
        tls_server_free(server);
        return error_nomem(err);
    }
    stamp_files(&server->options, server->seen);
    if (read_files(server, err) < 0) {
        tls_server_free(server);
        return -1;
    }
    *out = server;
    return 0;
}

void tls_server_free(struct tls_server *server)
{
    struct tls_server_options *o;

    if (!server)
        return;
    o = &server->options;
    context_unref(server->tls, server->context);
    free((char *)o->cert_file);
    free((char *)o->key_file);
    free((char *)o->ca_file);
    free((char *)o->ciphers);
    free((char *)o->crl_file);
    free_subjects((char **)o->subjects);
    pthread_mutex_destroy(&server->renewing);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int tls_accept(struct stream *s, struct tls_server *server, deadline_t deadline,
               struct rpyc_error *err)
{
    struct context *context = current_context(server);
    int result = server->tls->accept(s, context->made, deadline, err);

    context_unref(server->tls, context);
    if (result < 0)
        return -1;
    s->tls = server->tls;
    return 0;
}

void tls_thread_end(struct tls_server *server)
{
    if (server)
        server->tls->thread_end();
}

int tls_peer_cert(const struct stream *s, uint8_t **der, size_t *len)
{
    *der = NULL;
    *len = 0;
    return s->tls ? s->tls->peer_cert(s, der, len) : 0;
}
