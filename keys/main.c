/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pystuck-keys(1): makes certificates and keys for TLS between pystuck and its debuggees.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificate.h"
#include "file.h"

enum { EXIT_USAGE = 2 };

#define DEFAULT_DAYS  825
#define MAX_DAYS      36500
#define MAX_HOST      256
#define MAX_FILE_NAME (CERTIFICATE_NAME_MAX + sizeof(".pem"))

static const char usage[] = "usage: pystuck-keys [--days N] DIR [NAME...]\n"
                            "       pystuck-keys [--days N] --client NAME DIR\n"
                            "       pystuck-keys --revoke FILE DIR\n";

static const char explanation[] =
    "Makes certificates and keys for pystuck over TLS: a CA, a certificate for the\n"
    "programs (debuggees), and a certificate for the client, pystuck.\n"
    "\n"
    "  DIR            write the files to this directory, which is created if needed;\n"
    "                 existing files are never overwritten\n"
    "  NAME           add this host name or IP address to the programs' certificate,\n"
    "                 besides localhost and the names of this machine\n"
    "  --client NAME  make one more client certificate, signed by the CA in DIR\n"
    "  --revoke FILE  add the certificate in FILE to the revocation list in DIR\n"
    "  --days N       make certificates valid for N days (default: 825)\n"
    "  -h, --help     show this text and exit\n"
    "  --version      show the version and exit\n";

/* ---- Errors ---------------------------------------------------------------------------------- */

static void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)))
__attribute__((noreturn));

static void fail(int status, const char *format, ...)
{
    va_list args;

    fputs("pystuck-keys: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

/* Returns the text of OpenSSL's last error. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "unknown reason";
}

/* ---- The command line ------------------------------------------------------------------------ */

struct wish {
    const char *folder;
    const char *client; /* the NAME of --client */
    const char *revoke; /* the FILE of --revoke */
    int days;           /* 0: not given */
    char **names;       /* the names of the server; they point into argv */
    size_t name_count;
};

static int days_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long days = strtoul(text, NULL, 10);

    if (digits == 0 || text[digits] != '\0' || days == 0 || days > MAX_DAYS)
        fail(EXIT_USAGE, "invalid number of days '%s': expected 1 to %d", text, MAX_DAYS);
    return (int)days;
}

/* True if the files of a client certificate may have this name: the name is safe as a file name,
 * and no other file of the directory has this name. */
static bool is_client_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789@_.-";

    return *name != '\0' && *name != '.' && *name != '-' && strlen(name) <= CERTIFICATE_NAME_MAX &&
           name[strspn(name, allowed)] == '\0' && strcmp(name, "ca") != 0 &&
           strcmp(name, "server") != 0 && strcmp(name, "crl") != 0;
}

static void check(const struct wish *wish)
{
    if (wish->folder[0] == '\0')
        fail(EXIT_USAGE, "no directory given: pystuck-keys DIR");
    if (wish->client && wish->revoke)
        fail(EXIT_USAGE, "--client cannot be combined with --revoke");
    if ((wish->client || wish->revoke) && wish->name_count > 0)
        fail(EXIT_USAGE, "one argument too many: '%s'", wish->names[0]);
    if (wish->revoke && wish->days)
        fail(EXIT_USAGE, "--days cannot be combined with --revoke");
    if (wish->client && !is_client_name(wish->client))
        fail(EXIT_USAGE,
             "invalid client name '%s': expected 1 to %d letters, digits and @_.-, beginning "
             "with neither . nor -, and not the name ca, server or crl",
             wish->client, CERTIFICATE_NAME_MAX);
    for (size_t i = 0; i < wish->name_count; i++)
        if (!certificate_is_name(wish->names[i]))
            fail(EXIT_USAGE, "invalid name '%s': expected a host name or an IP address",
                 wish->names[i]);
}

static struct wish parse(int argc, char **argv)
{
    enum { KEY_DAYS = 256, KEY_CLIENT, KEY_REVOKE, KEY_VERSION };
    static const struct option table[] = {{"days", required_argument, NULL, KEY_DAYS},
                                          {"client", required_argument, NULL, KEY_CLIENT},
                                          {"revoke", required_argument, NULL, KEY_REVOKE},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, KEY_VERSION},
                                          {0}};
    static char name[] = "pystuck-keys";
    struct wish wish = {0};
    int key;

    argv[0] = name; /* getopt_long() begins its messages with argv[0] */
    while ((key = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        switch (key) {
        case KEY_DAYS:
            wish.days = days_of(optarg);
            break;
        case KEY_CLIENT:
            wish.client = optarg;
            break;
        case KEY_REVOKE:
            wish.revoke = optarg;
            break;
        case 'h':
            printf("%s\n%s", usage, explanation);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        case KEY_VERSION:
            puts("pystuck-keys " PACKAGE_VERSION);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        default: /* getopt_long() has printed a message */
            exit(EXIT_USAGE);
        }
    }
    wish.folder = optind < argc ? argv[optind++] : "";
    wish.names = argv + optind;
    wish.name_count = (size_t)(argc - optind);
    check(&wish);
    return wish;
}

/* ---- The directory --------------------------------------------------------------------------- */

struct folder {
    const char *name; /* as the user typed it, for messages */
    char *path;       /* absolute, for the commands that are printed */
    int fd;
};

/* Checks that no other user can replace files in the directory. */
static void check_folder(const struct folder *folder)
{
    struct stat st;

    if (fstat(folder->fd, &st) < 0)
        fail(EXIT_FAILURE, "cannot open %s: %s", folder->name, strerror(errno));
    if (st.st_uid != geteuid() && st.st_uid != 0)
        fail(EXIT_FAILURE, "%s belongs to another user (uid %u), who could replace the keys in it",
             folder->name, (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        fail(EXIT_FAILURE,
             "other users may write to %s and could replace the keys in it: run chmod go-w %s",
             folder->name, folder->name);
}

/* Opens and checks the directory. make: creates the directory if it does not exist. */
static struct folder open_folder(const char *name, bool make)
{
    struct folder folder = {.name = name};

    if (make && mkdir(name, 0700) < 0 && errno != EEXIST)
        fail(EXIT_FAILURE, "cannot create %s: %s", name, strerror(errno));
    folder.fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder.fd >= 0)
        folder.path = realpath(name, NULL);
    if (!folder.path)
        fail(EXIT_FAILURE, "cannot open %s: %s", name, strerror(errno));
    check_folder(&folder);
    return folder;
}

static void check_not_there(const struct folder *folder, const char *file)
{
    struct stat st;

    if (fstatat(folder->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
        fail(EXIT_FAILURE, "%s/%s exists already: nothing was written", folder->name, file);
    if (errno != ENOENT)
        fail(EXIT_FAILURE, "cannot check whether %s/%s exists: %s", folder->name, file,
             strerror(errno));
}

/* Opens a regular file of the directory for reading. Does not block on a FIFO. Returns NULL with
 * errno if the file cannot be opened or is not a regular file. */
static FILE *open_file(const struct folder *folder, const char *file)
{
    int fd = openat(folder->fd, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    FILE *stream = NULL;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    else if (fd >= 0)
        stream = fdopen(fd, "r");
    if (fd >= 0 && !stream)
        close(fd);
    return stream;
}

/* A file to write: a certificate or a key. Either cert or key is NULL. */
struct file {
    char name[MAX_FILE_NAME];
    const X509 *cert;
    const EVP_PKEY *key;
};

static int write_pem(const struct folder *folder, const struct file *file)
{
    struct file_new new;
    int ok;

    if (file_begin(&new, folder->fd, file->key ? 0600 : 0644) < 0)
        return -1;
    ok = file->key ? PEM_write_PKCS8PrivateKey(new.stream, (EVP_PKEY *)file->key, NULL, NULL, 0,
                                               NULL, NULL)
                   : PEM_write_X509(new.stream, (X509 *)file->cert);
    if (ok)
        return file_commit(&new, file->name, 0);
    file_abandon(&new);
    return -1;
}

/* Writes new files: all of them or, if one fails, none. */
static void write_files(const struct folder *folder, const struct file *files, size_t count)
{
    int why;

    for (size_t i = 0; i < count; i++)
        check_not_there(folder, files[i].name);
    for (size_t i = 0; i < count; i++) {
        if (write_pem(folder, &files[i]) == 0)
            continue;
        why = errno;
        for (size_t j = 0; j < i; j++)
            unlinkat(folder->fd, files[j].name, 0);
        fail(EXIT_FAILURE, "cannot write %s/%s: %s", folder->name, files[i].name, strerror(why));
    }
}

/* Fills files[0] for the certificate and files[1] for its key, with the names name.pem and
 * name.key. */
static void name_files(struct file *files, const char *name, const struct certificate *c)
{
    files[0] = (struct file){.cert = c->cert};
    files[1] = (struct file){.key = c->key};
    snprintf(files[0].name, sizeof(files[0].name), "%s.pem", name);
    snprintf(files[1].name, sizeof(files[1].name), "%s.key", name);
}

static FILE *open_to_read(const struct folder *folder, const char *file)
{
    FILE *stream = open_file(folder, file);

    if (!stream)
        fail(EXIT_FAILURE, "cannot read %s/%s: %s", folder->name, file, strerror(errno));
    return stream;
}

/* Reads the CA of the directory. If its key has a passphrase, OpenSSL asks for it. */
static struct certificate read_ca(const struct folder *folder)
{
    FILE *cert = open_to_read(folder, "ca.pem"), *key = open_to_read(folder, "ca.key");
    struct certificate ca = {PEM_read_X509(cert, NULL, NULL, NULL), NULL};

    if (!ca.cert)
        fail(EXIT_FAILURE, "%s/ca.pem contains no certificate: %s", folder->name, reason());
    ca.key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
    if (!ca.key)
        fail(EXIT_FAILURE, "cannot use the key in %s/ca.key: %s", folder->name, reason());
    fclose(cert);
    fclose(key);
    if (X509_check_private_key(ca.cert, ca.key) != 1) {
        certificate_clear(&ca);
        fail(EXIT_FAILURE, "%s/ca.key is not the key of %s/ca.pem", folder->name, folder->name);
    }
    return ca;
}

/* ---- The commands that are printed ----------------------------------------------------------- */

/* Prints the path of a file in the directory, quoted for Python or, if python is false, for the
 * shell. */
static void print_path(const struct folder *folder, const char *file, bool python)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+,:@%=";
    bool quoted = python || folder->path[strspn(folder->path, plain)] != '\0';

    if (quoted)
        putchar('\'');
    for (const char *p = folder->path; *p; p++) {
        if (python && (*p == '\'' || *p == '\\'))
            printf("\\%c", *p);
        else if (python && *p == '\n')
            fputs("\\n", stdout);
        else if (*p == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*p);
    }
    printf("/%s%s", file, quoted ? "'" : "");
}

static void print_command(const struct folder *folder, const char *client, const char *host)
{
    static const char *const options[] = {"--ssl-ca", "--ssl-cert", "--ssl-key"};
    char files[3][MAX_FILE_NAME] = {"ca.pem"};

    snprintf(files[1], sizeof(files[1]), "%s.pem", client);
    snprintf(files[2], sizeof(files[2]), "%s.key", client);
    fputs("    pystuck", stdout);
    for (size_t i = 0; i < 3; i++) {
        printf(" %s ", options[i]);
        print_path(folder, files[i], false);
    }
    printf(" %s\n", host);
}

static void print_call(const struct folder *folder, const char *more, const char *file)
{
    fputs("    pystuck.run_server(host='0.0.0.0', certfile=", stdout);
    print_path(folder, "server.pem", true);
    fputs(", keyfile=", stdout);
    print_path(folder, "server.key", true);
    fputs(", ca_certs=", stdout);
    print_path(folder, "ca.pem", true);
    if (more) {
        printf(", %s=", more);
        print_path(folder, file, true);
    }
    puts(")");
}

/* ---- Making certificates --------------------------------------------------------------------- */

/* The names of this machine. "": not known. */
struct host_names {
    char short_name[MAX_HOST], full_name[MAX_HOST];
};

static struct host_names host_names(void)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *list = NULL;
    struct host_names names = {0};

    if (gethostname(names.short_name, sizeof(names.short_name) - 1) < 0 ||
        !certificate_is_name(names.short_name)) {
        names.short_name[0] = '\0';
        return names;
    }
    if (getaddrinfo(names.short_name, NULL, &hints, &list) == 0) {
        if (list->ai_canonname && certificate_is_name(list->ai_canonname))
            snprintf(names.full_name, sizeof(names.full_name), "%s", list->ai_canonname);
        freeaddrinfo(list);
    }
    return names;
}

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcasecmp(names->all[i], name) == 0)
            return;
    if (*name)
        names->all[names->count++] = name;
}

/* Returns all names for the server's certificate. The caller frees names.all. */
static struct names server_names(const struct wish *wish, const struct host_names *host)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    struct names names = {.all = calloc(wish->name_count + 5, sizeof(*names.all))};

    if (!names.all)
        fail(EXIT_FAILURE, "out of memory");
    for (size_t i = 0; i < 3; i++)
        add_name(&names, always[i]);
    add_name(&names, host->short_name);
    add_name(&names, host->full_name);
    for (size_t i = 0; i < wish->name_count; i++)
        add_name(&names, wish->names[i]);
    return names;
}

/* Returns the server's name for the printed command: a name by which a client on another machine
 * may reach the server. */
static const char *best_name(const struct wish *wish, const struct host_names *host)
{
    for (size_t i = 0; i < wish->name_count; i++)
        if (wish->names[i][0] != '*')
            return wish->names[i];
    if (host->full_name[0])
        return host->full_name;
    return host->short_name[0] ? host->short_name : "localhost";
}

static void tell(const struct folder *folder, const char *host)
{
    printf("Created in %s:\n\n"
           "    ca.pem                  the CA's certificate, for the program and for pystuck\n"
           "    ca.key                  the CA's key, which signs certificates: keep it secret\n"
           "    server.pem, server.key  for the program\n"
           "    client.pem, client.key  for pystuck\n\n"
           "Run this in the program:\n\n",
           folder->path);
    print_call(folder, NULL, NULL);
    fputs("\nThen run this to connect to the program:\n\n", stdout);
    print_command(folder, "client", host);
}

static void make_all(const struct wish *wish)
{
    const struct host_names host = host_names();
    struct names names = server_names(wish, &host);
    struct certificate ca, server = {0}, client = {0};
    struct folder folder;
    struct file files[6];
    int days = wish->days ? wish->days : DEFAULT_DAYS;

    if (certificate_make_ca(&ca, days) < 0 ||
        certificate_make_server(&server, &names, days, &ca) < 0 ||
        certificate_make_client(&client, "client", days, &ca) < 0)
        fail(EXIT_FAILURE, "cannot create the certificates: %s", reason());
    folder = open_folder(wish->folder, true);
    name_files(files, "ca", &ca);
    name_files(files + 2, "server", &server);
    name_files(files + 4, "client", &client);
    write_files(&folder, files, 6);
    tell(&folder, best_name(wish, &host));
    certificate_clear(&ca);
    certificate_clear(&server);
    certificate_clear(&client);
    free(names.all);
    free(folder.path);
    close(folder.fd);
}

static void add_client(const struct wish *wish)
{
    const struct folder folder = open_folder(wish->folder, false);
    struct certificate ca = read_ca(&folder), client;
    int days = wish->days ? wish->days : DEFAULT_DAYS;
    struct file files[2];

    if (certificate_make_client(&client, wish->client, days, &ca) < 0)
        fail(EXIT_FAILURE, "cannot create the certificate: %s", reason());
    name_files(files, wish->client, &client);
    write_files(&folder, files, 2);
    printf("Created in %s: %s and %s. Copy them and ca.pem to the client, and run there:\n\n",
           folder.path, files[0].name, files[1].name);
    print_command(&folder, wish->client, "HOST");
    certificate_clear(&ca);
    certificate_clear(&client);
    free(folder.path);
    close(folder.fd);
}

/* ---- Revoking certificates ------------------------------------------------------------------- */

#define LIST "crl.pem"

/* Reads a certificate, which the CA must have signed. */
static X509 *read_signed(const char *path, const struct certificate *ca, const char *folder)
{
    int fd = file_open_to_read(path);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
    X509 *cert;

    if (!stream)
        fail(EXIT_FAILURE, "cannot read %s: %s", path, strerror(errno));
    cert = PEM_read_X509(stream, NULL, NULL, NULL);
    fclose(stream);
    if (!cert)
        fail(EXIT_FAILURE, "%s contains no certificate", path);
    if (X509_cmp(cert, ca->cert) == 0)
        fail(EXIT_FAILURE,
             "%s is the certificate of the CA itself: a CA cannot revoke its own certificate",
             path);
    if (X509_verify(cert, ca->key) != 1)
        fail(EXIT_FAILURE, "%s is not signed by the CA in %s", path, folder);
    return cert;
}

/* Reads the revocation list. NULL: there is none yet. */
static X509_CRL *read_list(const struct folder *folder, const struct certificate *ca)
{
    FILE *stream = open_file(folder, LIST);
    X509_CRL *list;

    if (!stream && errno == ENOENT)
        return NULL;
    if (!stream)
        fail(EXIT_FAILURE, "cannot read %s/" LIST ": %s", folder->name, strerror(errno));
    list = PEM_read_X509_CRL(stream, NULL, NULL, NULL);
    fclose(stream);
    if (!list || X509_CRL_verify(list, ca->key) != 1)
        fail(EXIT_FAILURE, "%s/" LIST " is not a revocation list of this CA", folder->name);
    return list;
}

/* Writes the list, and replaces the old one in one step. */
static void write_list(const struct folder *folder, X509_CRL *list)
{
    struct file_new new;
    int result = file_begin(&new, folder->fd, 0644);

    if (result == 0 && PEM_write_X509_CRL(new.stream, list))
        result = file_commit(&new, LIST, 1);
    else if (result == 0) {
        file_abandon(&new);
        result = -1;
    }
    if (result < 0)
        fail(EXIT_FAILURE, "cannot write %s/" LIST ": %s", folder->name, strerror(errno));
}

static void revoke_client(const struct wish *wish)
{
    const struct folder folder = open_folder(wish->folder, false);
    struct certificate ca = read_ca(&folder);
    X509 *cert = read_signed(wish->revoke, &ca, wish->folder);
    X509_CRL *list = read_list(&folder, &ca);
    int added = certificate_revoke(&list, cert, &ca);

    if (added < 0)
        fail(EXIT_FAILURE, "cannot create the revocation list: %s", reason());
    if (added > 0)
        write_list(&folder, list);
    printf("%s is %s the revocation list %s/" LIST
           ". Programs that were started with this list read the list "
           "again for each client. Start a program with this list like this:\n\n",
           wish->revoke, added > 0 ? "now on" : "already on", folder.path);
    print_call(&folder, "crl", LIST);
    X509_CRL_free(list);
    X509_free(cert);
    certificate_clear(&ca);
    free(folder.path);
    close(folder.fd);
}

int main(int argc, char **argv)
{
    struct wish wish = parse(argc, argv);
    const char *why;

    if (!openssl_load(&why))
        fail(EXIT_FAILURE, "%s", why);
    if (wish.revoke)
        revoke_client(&wish);
    else if (wish.client)
        add_client(&wish);
    else
        make_all(&wish);
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    fail(EXIT_FAILURE, "cannot write to standard output: %s", strerror(errno));
}
