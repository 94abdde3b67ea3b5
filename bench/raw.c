/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sends bytes to and fro over a socket, without a protocol: what the kernel takes of a request.
 *
 *     raw serve [PATH]                  listens on a free port of 127.0.0.1, or on a Unix socket;
 *                                       prints the port or the path
 *     raw send TARGET REQUEST REPLY     sends REQUEST bytes and receives REPLY bytes; see rounds.h
 */
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rounds.h"

struct sizes {
    uint32_t request;
    uint32_t reply;
};

static void check(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static char *make_room(const struct sizes *sizes)
{
    size_t len = sizes->request > sizes->reply ? sizes->request : sizes->reply;
    char *room = malloc(len + 1);

    check(room != NULL, "malloc");
    memset(room, 'x', len + 1);
    return room;
}

static bool receive_all(int fd, char *room, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = recv(fd, room + done, len - done, 0);

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool send_all(int fd, const char *room, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t sent = send(fd, room + done, len - done, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        done += (size_t)sent;
    }
    return true;
}

static void no_delay(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on Unix sockets */
}

static socklen_t address_of(const char *target, struct sockaddr_storage *address)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    memset(address, 0, sizeof(*address));
    if (isdigit((unsigned char)target[0])) {
        port.sin_port = htons((uint16_t)strtoul(target, NULL, 10));
        memcpy(address, &port, sizeof(port));
        return sizeof(port);
    }
    check(strlen(target) < sizeof(path.sun_path), "the path is too long");
    memcpy(path.sun_path, target, strlen(target));
    memcpy(address, &path, sizeof(path));
    return sizeof(path);
}

/* ---- Server ---------------------------------------------------------------------------------- */

static void *answer(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct sizes sizes;
    char *room;

    no_delay(fd);
    if (receive_all(fd, (char *)&sizes, sizeof(sizes))) {
        room = make_room(&sizes);
        while (receive_all(fd, room, sizes.request) && send_all(fd, room, sizes.reply))
            ;
        free(room);
    }
    close(fd);
    return NULL;
}

static void serve(const char *target)
{
    struct sockaddr_storage address;
    socklen_t len = address_of(target, &address);
    int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;

    check(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0 &&
              listen(listener, 128) == 0,
          "listen");
    if (address.ss_family == AF_UNIX) {
        puts(target);
    } else {
        check(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
        printf("%d\n", ntohs(((struct sockaddr_in *)&address)->sin_port));
    }
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        check(fd >= 0 && pthread_create(&thread, NULL, answer, (void *)(intptr_t)fd) == 0,
              "accept");
        pthread_detach(thread);
    }
}

/* ---- Client ---------------------------------------------------------------------------------- */

struct asking {
    int fd;
    const struct sizes *sizes;
    char *room;
};

static void ask_many(void *arg, size_t count)
{
    const struct asking *a = arg;

    for (size_t i = 0; i < count; i++)
        check(send_all(a->fd, a->room, a->sizes->request) &&
                  receive_all(a->fd, a->room, a->sizes->reply),
              "ask");
}

static void ask(const char *target, const struct sizes *sizes)
{
    struct sockaddr_storage address;
    socklen_t len = address_of(target, &address);
    struct asking a = {.sizes = sizes, .room = make_room(sizes)};

    a.fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(a.fd >= 0 && connect(a.fd, (struct sockaddr *)&address, len) == 0, "connect");
    no_delay(a.fd);
    check(send_all(a.fd, (const char *)sizes, sizeof(*sizes)), "send");
    answer_rounds(ask_many, NULL, &a);
    free(a.room);
    close(a.fd);
}

int main(int argc, char **argv)
{
    struct sizes sizes;

    if (argc >= 2 && strcmp(argv[1], "serve") == 0) {
        serve(argc > 2 ? argv[2] : "0");
    } else if (argc == 5 && strcmp(argv[1], "send") == 0) {
        sizes.request = (uint32_t)strtoul(argv[3], NULL, 10);
        sizes.reply = (uint32_t)strtoul(argv[4], NULL, 10);
        ask(argv[2], &sizes);
    } else {
        fprintf(stderr, "usage: %s serve [PATH] | send TARGET REQUEST REPLY\n", argv[0]);
        return 2;
    }
    return 0;
}
