/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/listing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connect/socket_list.h"
#include "text.h"

struct address_column {
    char text[160];
};

static struct address_column address_of(const struct server *s)
{
    struct address_column address = {"(unknown)"};
    size_t len;

    if (s->has_address) {
        sockets_describe(address.text, sizeof(address.text), &s->address);
        len = strlen(address.text);
        if (s->other_network)
            snprintf(address.text + len, sizeof(address.text) - len, " (other network)");
    }
    return address;
}

static void print_line(FILE *stream, int address_width, const char *pid, const char *since,
                       const char *address, const char *command)
{
    size_t size = (size_t)address_width + strlen(address) + strlen(command) + 64;
    char *line = malloc(size);
    size_t len;

    if (!line)
        return;
    len = (size_t)snprintf(line, size, "%7s  %-19s  %-*s  %s", pid, since, address_width, address,
                           command);
    if (isatty(fileno(stream)))
        len = text_fitting(line, len, (size_t)text_width());
    text_print_name(stream, line, len); /* a socket's name may contain a newline */
    fputc('\n', stream);
    free(line);
}

static void print_server(FILE *stream, int address_width, const struct server *s)
{
    char pid[16], since[32] = "";
    struct tm tm;

    snprintf(pid, sizeof(pid), "%d", (int)s->pid);
    if (localtime_r(&s->since, &tm))
        strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &tm);
    print_line(stream, address_width, pid, since, address_of(s).text, s->command);
}

void listing_print(FILE *stream, const struct servers *servers)
{
    int width = (int)strlen("ADDRESS"), len;

    for (size_t i = 0; i < servers->count; i++) {
        len = (int)strlen(address_of(&servers->all[i]).text);
        width = len > width ? len : width;
    }
    print_line(stream, width, "PID", "SINCE", "ADDRESS", "COMMAND");
    for (size_t i = 0; i < servers->count; i++)
        print_server(stream, width, &servers->all[i]);
}

static size_t count_processes(const struct servers *servers)
{
    size_t count = 0;

    for (size_t i = 0; i < servers->count; i++) /* the servers of one process are neighbours */
        count += i == 0 || servers->all[i].pid != servers->all[i - 1].pid;
    return count;
}

bool listing_suggest(FILE *stream, const char *what_failed, const struct servers *servers)
{
    size_t count = count_processes(servers);
    const struct server *s = servers->all;
    char line[512];

    if (count == 0)
        return false;
    if (count == 1)
        snprintf(line, sizeof(line),
                 "pystuck: %s, but process %d (%.*s) has a server: run pystuck --pid %d\n",
                 what_failed, (int)s->pid, find_brief(s->command), s->command, (int)s->pid);
    else
        snprintf(line, sizeof(line),
                 "pystuck: %s, but %zu processes have a server: run pystuck --list to see them\n",
                 what_failed, count);
    text_print(stream, line, strlen(line));
    return true;
}
