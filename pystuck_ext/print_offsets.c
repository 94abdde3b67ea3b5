/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints the offsets of the CPython whose headers this file was compiled with, as C: an entry of
 * the tables in stackreader/offset_tables.inc. make-offset-tables compiles this file to a program
 * and runs it. The file is in no other program.
 */
#include <stdio.h>
#include <string.h>

#include "own_offsets.h"

#define Py_BUILD_CORE 1
#include <Python.h>

#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>

_PyRuntimeState _PyRuntime; /* own_offsets.c refers to it */

/* All members of struct offsets except minor and free_threaded. */
#define MEMBERS(X)                                                                                 \
    X(runtime.interpreters)                                                                        \
    X(runtime.gil)                                                                                 \
    X(interpreter.next)                                                                            \
    X(interpreter.id)                                                                              \
    X(interpreter.threads)                                                                         \
    X(interpreter.gil)                                                                             \
    X(interpreter.modules)                                                                         \
    X(interpreter.sys)                                                                             \
    X(gil.locked)                                                                                  \
    X(gil.holder)                                                                                  \
    X(gil.switches)                                                                                \
    X(gil.interval)                                                                                \
    X(thread.next)                                                                                 \
    X(thread.ident)                                                                                \
    X(thread.native_id)                                                                            \
    X(thread.frame)                                                                                \
    X(thread.frame_within)                                                                         \
    X(thread.chunk)                                                                                \
    X(thread.top)                                                                                  \
    X(frame.previous)                                                                              \
    X(frame.code)                                                                                  \
    X(frame.owner)                                                                                 \
    X(frame.at)                                                                                    \
    X(frame.globals)                                                                               \
    X(frame.locals)                                                                                \
    X(frame.values)                                                                                \
    X(frame.stack_pointer)                                                                         \
    X(frame.block_count)                                                                           \
    X(frame.blocks)                                                                                \
    X(code.file)                                                                                   \
    X(code.name)                                                                                   \
    X(code.qualname)                                                                               \
    X(code.first_line)                                                                             \
    X(code.lines)                                                                                  \
    X(code.instructions)                                                                           \
    X(code.first_traceable)                                                                        \
    X(code.locals_count)                                                                           \
    X(code.stack_size)                                                                             \
    X(code.flags)                                                                                  \
    X(code.names)                                                                                  \
    X(code.local_names)                                                                            \
    X(code.cell_names)                                                                             \
    X(code.free_names)                                                                             \
    X(code.bytecode)                                                                               \
    X(code.units)                                                                                  \
    X(code.exceptions)                                                                             \
    X(code.monitoring)                                                                             \
    X(monitoring.lines)                                                                            \
    X(monitoring.instructions)                                                                     \
    X(function.code)                                                                               \
    X(generator.frame)                                                                             \
    X(builtin.definition)                                                                          \
    X(builtin.self)                                                                                \
    X(method.self)                                                                                 \
    X(descriptor.name)                                                                             \
    X(descriptor.more)                                                                             \
    X(member.offset)                                                                               \
    X(object.type)                                                                                 \
    X(type.name)                                                                                   \
    X(type.basicsize)                                                                              \
    X(type.dictoffset)                                                                             \
    X(type.flags)                                                                                  \
    X(type.cached_keys)                                                                            \
    X(type.base)                                                                                   \
    X(type.dict)                                                                                   \
    X(type.mro)                                                                                    \
    X(tuple.size)                                                                                  \
    X(tuple.items)                                                                                 \
    X(list.size)                                                                                   \
    X(list.items)                                                                                  \
    X(module.dict)                                                                                 \
    X(text.length)                                                                                 \
    X(text.state)                                                                                  \
    X(text.ascii)                                                                                  \
    X(text.compact)                                                                                \
    X(bytes.size)                                                                                  \
    X(bytes.data)                                                                                  \
    X(integer.digits)                                                                              \
    X(integer.tag)                                                                                 \
    X(integer.digit_size)                                                                          \
    X(dict.keys)                                                                                   \
    X(dict.values)

#define NAME_ONE(member)  #member,
#define PRINT_ONE(member) printf("     ." #member " = %d,\n", ps_own_offsets.member);

/* If this assertion fails, struct offsets has a member that is not in the list above. */
_Static_assert(sizeof(struct offsets) ==
                   sizeof(int) * (2 + sizeof((char *[]){MEMBERS(NAME_ONE)}) / sizeof(char *)),
               "MEMBERS");

#if PY_VERSION_HEX >= 0x030d0000

#define WORD(group, member) (offsetof(_Py_DebugOffsets, group.member) / sizeof(uint64_t))
#define PRINT_DEBUG(ours, group, member)                                                           \
    printf("    {AT(" #ours "), %zu, %zu}, /* " #group "." #member " */\n", WORD(group, member),   \
           WORD(group, size));

static void print_layout(void)
{
    printf("static const struct debug_member debug_members_%d[] = {\n", PY_MINOR_VERSION);
    DEBUG_MEMBERS(PRINT_DEBUG)
    printf("    {-1, %zu, 0}, /* the number of words */\n",
           sizeof(_Py_DebugOffsets) / sizeof(uint64_t));
    puts("};\n");
}

#else

static void print_layout(void)
{
}

#endif

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "layout") == 0) {
        print_layout();
        return 0;
    }
    if (argc > 1) {
        printf("_Static_assert(sizeof(struct offsets) == %zu, \"run make-offset-tables\");\n\n",
               sizeof(struct offsets));
        return 0;
    }
    printf("    /* from the headers of %s */\n", PY_VERSION);
    printf("    {.minor = %d,\n", ps_own_offsets.minor);
    MEMBERS(PRINT_ONE)
    puts("    },");
    return 0;
}
