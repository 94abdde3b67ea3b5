/* SPDX-License-Identifier: BSD-3-Clause */
#include "failing_alloc.h"

#include <search.h>
#include <sys/mman.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void __real_free(void *p);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

/* In the client's thread: the number of the allocation that fails, counted from now; 0: none. */
static __thread unsigned long countdown;

/* The number of memory blocks that the client has allocated and not freed. Blocks of its peer,
 * which runs in the same process, are not counted. */
static atomic_long alive;
static __thread bool counts;

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

static void *counted(void *p)
{
    if (p && counts)
        atomic_fetch_add(&alive, 1);
    return p;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    void *p = fails() ? NULL : __real_realloc(old, size);

    return old ? p : counted(p);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : counted(__real_strndup(text, len));
}

void __wrap_free(void *p)
{
    if (p && counts)
        atomic_fetch_sub(&alive, 1);
    __real_free(p);
}

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    return fails() ? NULL : __real_tsearch(key, root, compare);
}

void allocations_count(unsigned long n)
{
    counts = true;
    countdown = n;
}

void allocations_stop(void)
{
    counts = false;
}

void assert_went(int result, struct rpyc_error *err)
{
    if (result >= 0) {
        assert_int_equal(err->code, RPYC_OK);
        return;
    }
    if (err->code != RPYC_ENOMEM && err->code != RPYC_ECLOSED && err->code != RPYC_EREMOTE)
        fail_msg("an error of another kind: %d, %s", err->code, err->text);
    assert_string_not_equal(err->text, "");
    rpyc_error_clear(err);
}

void run_alone(scenario run, unsigned long n)
{
    allocations_count(n);
    run(NULL);
    allocations_stop();
}

void fail_each(void (*with)(scenario, unsigned long), scenario run)
{
    unsigned long n = 0;
    int fds = open_fds();

    do {
        n++;
        with(run, n);
        if (atomic_load(&alive) != 0)
            fail_msg("with allocation %lu failing, %ld blocks leak", n, atomic_load(&alive));
        assert_int_equal(open_fds(), fds);
    } while (countdown == 0);
    countdown = 0;
    print_message("%lu allocations\n", n - 1);
    assert_true(n > 1);
}
