/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: an address on the command line.
 */
#include "fuzz.h"

#include "target.h"

/* Checks that a member is a string that fits. */
#define IS_STRING(member) (memchr(member, 0, sizeof(member)) != NULL)

static void check_same(const struct target *a, const struct target *b)
{
    must(strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 &&
         strcmp(a->path, b->path) == 0);
}

/* Checks that the parsed target can be written and parsed again with the same result. */
static void check_round(const struct target *target)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct target again;
    char text[512];

    if (*target->path)
        snprintf(text, sizeof(text), "unix:%s", target->path);
    else if (!*target->host)
        snprintf(text, sizeof(text), "%s", target->port);
    else
        snprintf(text, sizeof(text), strchr(target->host, ':') ? "[%s]%s%s" : "%s%s%s",
                 target->host, *target->port ? ":" : "", target->port);
    must(target_parse(&again, text, &err) == 0);
    check_same(target, &again);
}

static void check_one(int status, const struct target *target, struct rpyc_error *err)
{
    must(IS_STRING(target->host) && IS_STRING(target->port) && IS_STRING(target->path));
    must(status == 0 || (status == -1 && err->code == RPYC_EINVAL && *err->text));
    must(IS_STRING(err->text));
    rpyc_error_clear(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct target target, part = {0};
    char *text = strndup((const char *)data, size);
    int status;

    must(text);
    status = target_parse(&target, text, &err);
    check_one(status, &target, &err);
    if (status == 0)
        check_round(&target);
    if (status == 0)
        must(*target.path ? !*target.host && !*target.port : *target.host || *target.port);
    if (status == 0 && *target.port)
        must(atoi(target.port) >= 1 && atoi(target.port) <= 65535);
    status = target_parse_host(&part, text, &err);
    check_one(status, &part, &err);
    status = target_parse_port(&part, text, &err);
    check_one(status, &part, &err);
    status = target_parse_path(&part, text, &err);
    check_one(status, &part, &err);
    free(text);
    return 0;
}
