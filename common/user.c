/* SPDX-License-Identifier: BSD-3-Clause */
#include "user.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERFLOW_UID 65534

/* Returns the user's name. If the user has no name, returns the prefix followed by the uid. */
static struct user_name name_or_uid(uid_t user, const char *prefix)
{
    const struct passwd *entry = getpwuid(user);
    struct user_name name;

    if (entry)
        snprintf(name.text, sizeof(name.text), "%s", entry->pw_name);
    else
        snprintf(name.text, sizeof(name.text), "%s%u", prefix, (unsigned)user);
    return name;
}

struct user_name user_name(uid_t user)
{
    return name_or_uid(user, "user ");
}

struct user_name user_describe(uid_t user)
{
    const struct passwd *entry = getpwuid(user);
    struct user_name name;

    if (entry)
        snprintf(name.text, sizeof(name.text), "user %.32s (uid %u)", entry->pw_name,
                 (unsigned)user);
    else
        snprintf(name.text, sizeof(name.text), "uid %u", (unsigned)user);
    return name;
}

struct user_name user_argument(uid_t user)
{
    return name_or_uid(user, "");
}

bool user_parse(uid_t *out, const char *text)
{
    const struct passwd *entry = *text ? getpwnam(text) : NULL;
    unsigned long long number;

    if (entry) {
        *out = entry->pw_uid;
        return true;
    }
    if (!*text || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    number = strtoull(text, NULL, 10);
    *out = (uid_t)number;
    return errno == 0 && number < UINT32_MAX; /* (uid_t)-1 is not a user */
}

/* Reads a number from a file. Returns `otherwise` if that fails. */
static unsigned long number_in(const char *path, const char *format, unsigned long otherwise)
{
    FILE *f = fopen(path, "re");
    unsigned long number;

    if (!f)
        return otherwise;
    if (fscanf(f, format, &number) != 1)
        number = otherwise;
    fclose(f);
    return number;
}

bool user_is_anyone(uid_t user)
{
    /* In the initial user namespace each user has a uid, so no user is shown with the overflow uid.
     */
    if (number_in("/proc/self/uid_map", "%*u %*u %lu", 0) == UINT32_MAX)
        return false;
    return user == number_in("/proc/sys/kernel/overflowuid", "%lu", OVERFLOW_UID);
}
