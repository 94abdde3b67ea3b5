/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Uses CPython's internal headers, but only for offsetof and sizeof.
 */
#include "own_offsets.h"

#ifndef HAVE_PYTHON_INTERNALS

const struct offsets ps_own_offsets = {.minor = 0};
const int ps_frame_pointer = -1;

bool ps_offsets_agree(const struct offsets *o)
{
    return o->minor == 0;
}

#else

#define Py_BUILD_CORE 1
#include <Python.h>

#include <stddef.h>
#include <structmember.h>

#if PY_VERSION_HEX < 0x030B0000
#include <frameobject.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#else
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#endif
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe.h>
#endif

#define AT(type, member) ((int)offsetof(type, member))

#if PY_VERSION_HEX >= 0x030B0000
const int ps_frame_pointer = AT(struct _frame, f_frame);
#else
const int ps_frame_pointer = -1;
#endif

/* Members whose names differ between versions of Python. */

#if PY_VERSION_HEX >= 0x030C0000
#define RUNTIME_GIL        (-1)
#define INTERPRETER_GIL    AT(PyInterpreterState, ceval.gil)
#define DIGITS             AT(PyLongObject, long_value.ob_digit)
#define INTEGER_TAG        AT(PyLongObject, long_value.lv_tag)
#define INTERPRETER_MODULE AT(PyInterpreterState, imports.modules)
#else
#define RUNTIME_GIL        AT(_PyRuntimeState, ceval.gil)
#define INTERPRETER_GIL    (-1)
#define DIGITS             AT(PyLongObject, ob_digit)
#define INTEGER_TAG        AT(PyLongObject, ob_base.ob_size)
#define INTERPRETER_MODULE AT(PyInterpreterState, modules)
#endif

#if PY_VERSION_HEX >= 0x030B0000
#define THREADS         AT(PyInterpreterState, threads.head)
#define NATIVE_ID       AT(PyThreadState, native_thread_id)
#define CHUNK           AT(PyThreadState, datastack_chunk)
#define CHUNK_TOP       AT(PyThreadState, datastack_top)
#define FRAME_PREVIOUS  AT(_PyInterpreterFrame, previous)
#define FRAME_OWNER     AT(_PyInterpreterFrame, owner)
#define QUALNAME        AT(PyCodeObject, co_qualname)
#define LINES           AT(PyCodeObject, co_linetable)
#define INSTRUCTIONS    AT(PyCodeObject, co_code_adaptive)
#define TRACEABLE       AT(PyCodeObject, _co_firsttraceable)
#define FRAME_GLOBALS   AT(_PyInterpreterFrame, f_globals)
#define FRAME_LOCALS    AT(_PyInterpreterFrame, localsplus)
#define FRAME_VALUES    (-1)
#define BLOCK_COUNT     (-1)
#define BLOCKS          (-1)
#define LOCALS_COUNT    AT(PyCodeObject, co_nlocalsplus)
#define LOCAL_NAMES     AT(PyCodeObject, co_localsplusnames)
#define CELL_NAMES      (-1)
#define FREE_NAMES      (-1)
#define BYTECODE        (-1)
#define UNITS           AT(PyVarObject, ob_size)
#define EXCEPTIONS      AT(PyCodeObject, co_exceptiontable)
#define GENERATOR_FRAME AT(PyGenObject, gi_iframe)
#else
#define THREADS         AT(PyInterpreterState, tstate_head)
#define NATIVE_ID       (-1)
#define CHUNK           (-1)
#define CHUNK_TOP       (-1)
#define FRAME_PREVIOUS  AT(PyFrameObject, f_back)
#define FRAME_CODE      AT(PyFrameObject, f_code)
#define FRAME_AT        AT(PyFrameObject, f_lasti)
#define FRAME_OWNER     (-1)
#define THREAD_FRAME    AT(PyThreadState, frame)
#define FRAME_WITHIN    (-1)
#define QUALNAME        (-1)
#define INSTRUCTIONS    (-1)
#define TRACEABLE       (-1)
#define FRAME_GLOBALS   AT(PyFrameObject, f_globals)
#define FRAME_LOCALS    AT(PyFrameObject, f_localsplus)
#define FRAME_VALUES    AT(PyFrameObject, f_valuestack)
#define BLOCK_COUNT     AT(PyFrameObject, f_iblock)
#define BLOCKS          AT(PyFrameObject, f_blockstack)
#define LOCALS_COUNT    AT(PyCodeObject, co_nlocals)
#define LOCAL_NAMES     AT(PyCodeObject, co_varnames)
#define CELL_NAMES      AT(PyCodeObject, co_cellvars)
#define FREE_NAMES      AT(PyCodeObject, co_freevars)
#define BYTECODE        AT(PyCodeObject, co_code)
#define UNITS           (-1)
#define EXCEPTIONS      (-1)
#define GENERATOR_FRAME AT(PyGenObject, gi_frame)
#if PY_VERSION_HEX >= 0x030A0000
#define LINES AT(PyCodeObject, co_linetable)
#else
#define LINES AT(PyCodeObject, co_lnotab)
#endif
#endif

#if PY_VERSION_HEX >= 0x030D0000
#define FRAME_CODE   AT(_PyInterpreterFrame, f_executable)
#define FRAME_AT     AT(_PyInterpreterFrame, instr_ptr)
#define THREAD_FRAME AT(PyThreadState, current_frame)
#define FRAME_WITHIN (-1)
#elif PY_VERSION_HEX >= 0x030B0000
#define FRAME_CODE   AT(_PyInterpreterFrame, f_code)
#define FRAME_AT     AT(_PyInterpreterFrame, prev_instr)
#define THREAD_FRAME AT(PyThreadState, cframe)
#define FRAME_WITHIN AT(_PyCFrame, current_frame)
#endif

#if PY_VERSION_HEX >= 0x030E0000
#define STACK_POINTER AT(_PyInterpreterFrame, stackpointer)
#else
#define STACK_POINTER (-1)
#endif

#if PY_VERSION_HEX >= 0x030C0000
#define MONITORING              AT(PyCodeObject, _co_monitoring)
#define MONITORING_LINES        AT(_PyCoMonitoringData, lines)
#define MONITORING_INSTRUCTIONS AT(_PyCoMonitoringData, per_instruction_opcodes)
#else
#define MONITORING              (-1)
#define MONITORING_LINES        (-1)
#define MONITORING_INSTRUCTIONS (-1)
#endif

#ifdef Py_GIL_DISABLED
#define FREE_THREADED true
#else
#define FREE_THREADED false
#endif

const struct offsets ps_own_offsets = {
    .minor = PY_MINOR_VERSION,
    .free_threaded = FREE_THREADED,
    .runtime = {.interpreters = AT(_PyRuntimeState, interpreters.head), .gil = RUNTIME_GIL},
    .interpreter = {.next = AT(PyInterpreterState, next),
                    .id = AT(PyInterpreterState, id),
                    .threads = THREADS,
                    .gil = INTERPRETER_GIL,
                    .modules = INTERPRETER_MODULE,
                    .sys = AT(PyInterpreterState, sysdict)},
    .gil = {.locked = AT(struct _gil_runtime_state, locked),
            .holder = AT(struct _gil_runtime_state, last_holder),
            .switches = AT(struct _gil_runtime_state, switch_number),
            .interval = AT(struct _gil_runtime_state, interval)},
    .thread = {.next = AT(PyThreadState, next),
               .ident = AT(PyThreadState, thread_id),
               .native_id = NATIVE_ID,
               .frame = THREAD_FRAME,
               .frame_within = FRAME_WITHIN,
               .chunk = CHUNK,
               .top = CHUNK_TOP},
    .frame = {.previous = FRAME_PREVIOUS,
              .code = FRAME_CODE,
              .owner = FRAME_OWNER,
              .at = FRAME_AT,
              .globals = FRAME_GLOBALS,
              .locals = FRAME_LOCALS,
              .values = FRAME_VALUES,
              .stack_pointer = STACK_POINTER,
              .block_count = BLOCK_COUNT,
              .blocks = BLOCKS},
    .code = {.file = AT(PyCodeObject, co_filename),
             .name = AT(PyCodeObject, co_name),
             .qualname = QUALNAME,
             .first_line = AT(PyCodeObject, co_firstlineno),
             .lines = LINES,
             .instructions = INSTRUCTIONS,
             .first_traceable = TRACEABLE,
             .locals_count = LOCALS_COUNT,
             .stack_size = AT(PyCodeObject, co_stacksize),
             .flags = AT(PyCodeObject, co_flags),
             .names = AT(PyCodeObject, co_names),
             .local_names = LOCAL_NAMES,
             .cell_names = CELL_NAMES,
             .free_names = FREE_NAMES,
             .bytecode = BYTECODE,
             .units = UNITS,
             .exceptions = EXCEPTIONS,
             .monitoring = MONITORING},
    .monitoring = {.lines = MONITORING_LINES, .instructions = MONITORING_INSTRUCTIONS},
    .generator = {.frame = GENERATOR_FRAME},
    .function = {.code = AT(PyFunctionObject, func_code)},
    .builtin = {.definition = AT(PyCFunctionObject, m_ml), .self = AT(PyCFunctionObject, m_self)},
    .method = {.self = AT(PyMethodObject, im_self)},
    .descriptor = {.name = AT(PyDescrObject, d_name), .more = sizeof(PyDescrObject)},
    .member = {.offset = AT(PyMemberDef, offset)},
    .object = {.type = AT(PyObject, ob_type)},
    .type = {.name = AT(PyTypeObject, tp_name),
             .basicsize = AT(PyTypeObject, tp_basicsize),
             .dictoffset = AT(PyTypeObject, tp_dictoffset),
             .flags = AT(PyTypeObject, tp_flags),
             .cached_keys = AT(PyHeapTypeObject, ht_cached_keys),
             .base = AT(PyTypeObject, tp_base),
             .dict = AT(PyTypeObject, tp_dict),
             .mro = AT(PyTypeObject, tp_mro)},
    .tuple = {.size = AT(PyVarObject, ob_size), .items = AT(PyTupleObject, ob_item)},
    .list = {.size = AT(PyVarObject, ob_size), .items = AT(PyListObject, ob_item)},
    .module = {.dict = sizeof(PyObject)}, /* the first member; no header of 3.9 declares it */
    .text = {.length = AT(PyASCIIObject, length),
             .state = AT(PyASCIIObject, state),
             .ascii = sizeof(PyASCIIObject),
             .compact = sizeof(PyCompactUnicodeObject)},
    .bytes = {.size = AT(PyVarObject, ob_size), .data = AT(PyBytesObject, ob_sval)},
    .integer = {.digits = DIGITS, .tag = INTEGER_TAG, .digit_size = sizeof(digit)},
    .dict = {.keys = AT(PyDictObject, ma_keys), .values = AT(PyDictObject, ma_values)},
};

#if PY_VERSION_HEX >= 0x030D0000

#define THEIRS                    _PyRuntime.debug_offsets
#define SAME(ours, group, member) (uint64_t) o->ours == THEIRS.group.member &&

/* True if the offsets of the GIL's members agree with those that Python publishes, which are
 * offsets in the interpreter's struct: that struct contains the GIL. */
static bool agree_on_gil(const struct offsets *o)
{
    uint64_t gil = THEIRS.interpreter_state.gil_runtime_state;

    return gil + (uint64_t)o->gil.locked == THEIRS.interpreter_state.gil_runtime_state_locked &&
           gil + (uint64_t)o->gil.holder == THEIRS.interpreter_state.gil_runtime_state_holder;
}

static bool agree_on_members(const struct offsets *o)
{
    return DEBUG_MEMBERS(SAME) true;
}

bool ps_offsets_agree(const struct offsets *o)
{
    return THEIRS.version >> 16 == PY_VERSION_HEX >> 16 &&
           (THEIRS.free_threaded != 0) == o->free_threaded && agree_on_members(o) &&
           agree_on_gil(o);
}

#else

bool ps_offsets_agree(const struct offsets *o)
{
    return o->minor == PY_MINOR_VERSION;
}

#endif

#endif
