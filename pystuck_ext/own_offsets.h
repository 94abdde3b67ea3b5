/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The offsets of members in the structs of CPython, for the version of CPython with whose headers
 * the extension was built.
 */
#ifndef PYSTUCK_OWN_OFFSETS_H
#define PYSTUCK_OWN_OFFSETS_H

#include "offsets.h"

/* The offsets of the members. If CPython's internal headers were not installed when the extension
 * was built, `minor` is 0 and no offset is known. */
extern const struct offsets ps_own_offsets;

/* The offset of the pointer to the frame in a frame object; -1: the frame object itself is the
 * frame (up to Python 3.10). */
extern const int ps_frame_pointer;

/* The members of struct offsets that also exist in _Py_DebugOffsets, which Python 3.13 and later
 * have: X(our member, group in _Py_DebugOffsets, member of the group). */
#define DEBUG_MEMBERS(X)                                                                           \
    X(runtime.interpreters, runtime_state, interpreters_head)                                      \
    X(interpreter.next, interpreter_state, next)                                                   \
    X(interpreter.id, interpreter_state, id)                                                       \
    X(interpreter.threads, interpreter_state, threads_head)                                        \
    X(interpreter.gil, interpreter_state, ceval_gil)                                               \
    X(interpreter.modules, interpreter_state, imports_modules)                                     \
    X(interpreter.sys, interpreter_state, sysdict)                                                 \
    X(thread.next, thread_state, next)                                                             \
    X(thread.ident, thread_state, thread_id)                                                       \
    X(thread.native_id, thread_state, native_thread_id)                                            \
    X(thread.frame, thread_state, current_frame)                                                   \
    X(thread.chunk, thread_state, datastack_chunk)                                                 \
    X(frame.previous, interpreter_frame, previous)                                                 \
    X(frame.code, interpreter_frame, executable)                                                   \
    X(frame.owner, interpreter_frame, owner)                                                       \
    X(frame.at, interpreter_frame, instr_ptr)                                                      \
    X(code.file, code_object, filename)                                                            \
    X(code.name, code_object, name)                                                                \
    X(code.qualname, code_object, qualname)                                                        \
    X(code.first_line, code_object, firstlineno)                                                   \
    X(code.lines, code_object, linetable)                                                          \
    X(code.instructions, code_object, co_code_adaptive)                                            \
    X(object.type, pyobject, ob_type)                                                              \
    X(type.name, type_object, tp_name)                                                             \
    X(type.flags, type_object, tp_flags)                                                           \
    X(text.length, unicode_object, length)                                                         \
    X(text.state, unicode_object, state)                                                           \
    X(text.ascii, unicode_object, asciiobject_size)                                                \
    X(bytes.size, bytes_object, ob_size)                                                           \
    X(bytes.data, bytes_object, ob_sval)                                                           \
    X(integer.tag, long_object, lv_tag)                                                            \
    X(integer.digits, long_object, ob_digit)                                                       \
    X(dict.keys, dict_object, ma_keys)                                                             \
    X(dict.values, dict_object, ma_values)

/* True if the offsets do not contradict the running Python, which may be of another release than
 * the headers. From 3.13 on, Python publishes some of its offsets (_Py_DebugOffsets), and these
 * must be equal to the offsets in *o. Needs no GIL. */
bool ps_offsets_agree(const struct offsets *o);

#endif
