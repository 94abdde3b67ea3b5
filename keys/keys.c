/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pystuck-keys(1): certificates and keys for TLS between pystuck and the programs that it looks
 * into.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
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
    "Makes what pystuck and the programs that it looks into need for TLS: a CA, a\n"
    "certificate for the programs, one for whoever looks into them, and their keys.\n"
    "\n"
    "  DIR            where the files go; it is made if need be. None is overwritten\n"
    "  NAME           more names and addresses by which the programs' machine is\n"
    "                 reached, beside localhost and the names that it has\n"
    "  --client NAME  one more certificate for a client, of the CA that is there\n"
    "  --revoke FILE  put a certificate of that CA on its list of revoked ones\n"
    "  --days N       how long the certificates hold (default: 825)\n"
    "  -h, --help     show this text and exit\n"
    "  --version      show the version and exit\n";

/* ---- Failing --------------------------------------------------------------------------------- */

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

/* What OpenSSL says went wrong. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "unknown reason";
}

/* ---- The command line ------------------------------------------------------------------------ */

struct wish {
    const char *folder;
    const char *client; /* one more of them, and nothing else */
    const char *revoke; /* a file, and nothing else */
    int days;           /* 0: not given */
    char **names;       /* of the server: argv's */
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

/* Whether it can be a file's name, and nothing that is there for something else. */
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
        fail(EXIT_USAGE, "--client and --revoke do not go together");
    if ((wish->client || wish->revoke) && wish->name_count > 0)
        fail(EXIT_USAGE, "one argument too many: '%s'", wish->names[0]);
    if (wish->revoke && wish->days)
        fail(EXIT_USAGE, "--days is how long a certificate holds: it does not go with --revoke");
    if (wish->client && !is_client_name(wish->client))
        fail(EXIT_USAGE,
             "'%s' cannot be a client's name: 1 to %d letters, digits and any of @_.- can, but not "
             "ca, server and crl",
             wish->client, CERTIFICATE_NAME_MAX);
    for (size_t i = 0; i < wish->name_count; i++)
        if (!certificate_is_name(wish->names[i]))
            fail(EXIT_USAGE, "'%s' is neither the name of a host nor an address", wish->names[i]);
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

    argv[0] = name; /* getopt_long begins its messages with it */
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
        default: /* getopt_long has said what is wrong */
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
    const char *name; /* as it was given, for messages */
    char *path;       /* absolute, for what is to be typed elsewhere */
    int fd;
};

/* What is in the directory is believed, and keys are put there. */
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
             "other users may write to %s, and could replace the keys in it: chmod go-w %s",
             folder->name, folder->name);
}

/* make: if it is not there. */
static struct folder open_folder(const char *name, bool make)
{
    struct folder folder = {.name = name};

    if (make && mkdir(name, 0700) < 0 && errno != EEXIST)
        fail(EXIT_FAILURE, "cannot make %s: %s", name, strerror(errno));
    folder.fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder.fd >= 0)
        folder.path = realpath(name, NULL);
    if (!folder.path)
        fail(EXIT_FAILURE, "cannot open %s: %s", name, strerror(errno));
    check_folder(&folder);
    return folder;
}

static void refuse_what_is_there(const struct folder *folder, const char *file)
{
    struct stat st;

    if (fstatat(folder->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
        fail(EXIT_FAILURE, "%s/%s is there already: nothing was made", folder->name, file);
    if (errno != ENOENT)
        fail(EXIT_FAILURE, "cannot look for %s/%s: %s", folder->name, file, strerror(errno));
}

/* Opens a file of the directory for reading. Waits for nothing: NULL with errno. */
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

/* A file to be written: one of the two. */
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

/* Writes files that are new, all of them or none. */
static void write_files(const struct folder *folder, const struct file *files, size_t count)
{
    int why;

    for (size_t i = 0; i < count; i++)
        refuse_what_is_there(folder, files[i].name);
    for (size_t i = 0; i < count; i++) {
        if (write_pem(folder, &files[i]) == 0)
            continue;
        why = errno;
        for (size_t j = 0; j < i; j++)
            unlinkat(folder->fd, files[j].name, 0);
        fail(EXIT_FAILURE, "cannot write %s/%s: %s", folder->name, files[i].name, strerror(why));
    }
}

/* The two files of a certificate. */
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

/* The CA that is there. Where somebody has given its key a passphrase, OpenSSL asks for it. */
static struct certificate read_ca(const struct folder *folder)
{
    FILE *cert = open_to_read(folder, "ca.pem"), *key = open_to_read(folder, "ca.key");
    struct certificate ca = {PEM_read_X509(cert, NULL, NULL, NULL), NULL};

    if (!ca.cert)
        fail(EXIT_FAILURE, "there is no certificate in %s/ca.pem: %s", folder->name, reason());
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

/* ---- What is to be typed --------------------------------------------------------------------- */

/* A path as Python, or else the shell, reads it. */
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

/* ---- What is made ---------------------------------------------------------------------------- */

/* This machine's names, if it has any: up to two. */
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

/* All names of the server; for free(). */
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

/* By which of its names a client elsewhere may reach the server. */
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
    printf("In %s there are now\n\n"
           "    ca.pem      the CA's certificate, by which each side knows the other\n"
           "    ca.key      its key, for more certificates: whoever has it can make some\n"
           "    server.pem  and server.key: for the program, beside ca.pem\n"
           "    client.pem  and client.key: for whoever looks into it, beside ca.pem\n\n"
           "In the program:\n\n",
           folder->path);
    print_call(folder, NULL, NULL);
    fputs("\nand to look into it:\n\n", stdout);
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
        fail(EXIT_FAILURE, "cannot make certificates: %s", reason());
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
        fail(EXIT_FAILURE, "cannot make a certificate: %s", reason());
    name_files(files, wish->client, &client);
    write_files(&folder, files, 2);
    printf("In %s there are now %s and %s, for a client beside ca.pem:\n\n", folder.path,
           files[0].name, files[1].name);
    print_command(&folder, wish->client, "HOST");
    certificate_clear(&ca);
    certificate_clear(&client);
    free(folder.path);
    close(folder.fd);
}

/* ---- What is taken back ---------------------------------------------------------------------- */

#define LIST "crl.pem"

/* The certificate in a file, which has to be one that the CA has signed. */
static X509 *read_signed(const char *path, const struct certificate *ca)
{
    int fd = file_open_to_read(path);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
    X509 *cert;

    if (!stream)
        fail(EXIT_FAILURE, "cannot read %s: %s", path, strerror(errno));
    cert = PEM_read_X509(stream, NULL, NULL, NULL);
    fclose(stream);
    if (!cert)
        fail(EXIT_FAILURE, "there is no certificate in %s", path);
    if (X509_cmp(cert, ca->cert) == 0)
        fail(EXIT_FAILURE, "%s is the CA itself, which cannot revoke itself", path);
    if (X509_verify(cert, ca->key) != 1)
        fail(EXIT_FAILURE, "%s is not a certificate of that CA", path);
    return cert;
}

/* The list that is there, or NULL. */
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
        fail(EXIT_FAILURE, "%s/" LIST " is not a list of that CA", folder->name);
    return list;
}

/* Puts it in the place of the old one, at once. */
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
    X509 *cert = read_signed(wish->revoke, &ca);
    X509_CRL *list = read_list(&folder, &ca);
    int added = certificate_revoke(&list, cert, &ca);

    if (added < 0)
        fail(EXIT_FAILURE, "cannot make the list: %s", reason());
    if (added > 0)
        write_list(&folder, list);
    printf("%s is on the list in %s/" LIST "%s. A program that has it reads it again when a client "
           "comes:\n\n",
           wish->revoke, folder.path, added > 0 ? "" : " already");
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
