/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Made by pystuck_ext/make-offset-tables. known_offsets.c includes it.
 */
/* clang-format off */

static const struct debug_member debug_members_13[] = {
    {AT(runtime.interpreters), 5, 3}, /* runtime_state.interpreters_head */
    {AT(interpreter.next), 8, 6}, /* interpreter_state.next */
    {AT(interpreter.id), 7, 6}, /* interpreter_state.id */
    {AT(interpreter.threads), 9, 6}, /* interpreter_state.threads_head */
    {AT(interpreter.gil), 14, 6}, /* interpreter_state.ceval_gil */
    {AT(interpreter.modules), 11, 6}, /* interpreter_state.imports_modules */
    {AT(thread.next), 21, 19}, /* thread_state.next */
    {AT(thread.ident), 24, 19}, /* thread_state.thread_id */
    {AT(thread.native_id), 25, 19}, /* thread_state.native_thread_id */
    {AT(thread.frame), 23, 19}, /* thread_state.current_frame */
    {AT(thread.chunk), 26, 19}, /* thread_state.datastack_chunk */
    {AT(frame.previous), 29, 28}, /* interpreter_frame.previous */
    {AT(frame.code), 30, 28}, /* interpreter_frame.executable */
    {AT(frame.owner), 33, 28}, /* interpreter_frame.owner */
    {AT(frame.at), 31, 28}, /* interpreter_frame.instr_ptr */
    {AT(code.file), 35, 34}, /* code_object.filename */
    {AT(code.name), 36, 34}, /* code_object.name */
    {AT(code.qualname), 37, 34}, /* code_object.qualname */
    {AT(code.first_line), 39, 34}, /* code_object.firstlineno */
    {AT(code.lines), 38, 34}, /* code_object.linetable */
    {AT(code.instructions), 43, 34}, /* code_object.co_code_adaptive */
    {AT(object.type), 45, 44}, /* pyobject.ob_type */
    {AT(type.name), 47, 46}, /* type_object.tp_name */
    {AT(type.flags), 49, 46}, /* type_object.tp_flags */
    {AT(text.length), 69, 67}, /* unicode_object.length */
    {AT(text.state), 68, 67}, /* unicode_object.state */
    {AT(text.ascii), 70, 67}, /* unicode_object.asciiobject_size */
    {AT(bytes.size), 65, 64}, /* bytes_object.ob_size */
    {AT(bytes.data), 66, 64}, /* bytes_object.ob_sval */
    {AT(integer.tag), 62, 61}, /* long_object.lv_tag */
    {AT(integer.digits), 63, 61}, /* long_object.ob_digit */
    {AT(dict.keys), 57, 56}, /* dict_object.ma_keys */
    {AT(dict.values), 58, 56}, /* dict_object.ma_values */
    {-1, 73, 0}, /* the number of words */
};

static const struct debug_member debug_members_14[] = {
    {AT(runtime.interpreters), 5, 3}, /* runtime_state.interpreters_head */
    {AT(interpreter.next), 8, 6}, /* interpreter_state.next */
    {AT(interpreter.id), 7, 6}, /* interpreter_state.id */
    {AT(interpreter.threads), 9, 6}, /* interpreter_state.threads_head */
    {AT(interpreter.gil), 15, 6}, /* interpreter_state.ceval_gil */
    {AT(interpreter.modules), 12, 6}, /* interpreter_state.imports_modules */
    {AT(thread.next), 24, 22}, /* thread_state.next */
    {AT(thread.ident), 27, 22}, /* thread_state.thread_id */
    {AT(thread.native_id), 28, 22}, /* thread_state.native_thread_id */
    {AT(thread.frame), 26, 22}, /* thread_state.current_frame */
    {AT(thread.chunk), 29, 22}, /* thread_state.datastack_chunk */
    {AT(frame.previous), 32, 31}, /* interpreter_frame.previous */
    {AT(frame.code), 33, 31}, /* interpreter_frame.executable */
    {AT(frame.owner), 36, 31}, /* interpreter_frame.owner */
    {AT(frame.at), 34, 31}, /* interpreter_frame.instr_ptr */
    {AT(code.file), 40, 39}, /* code_object.filename */
    {AT(code.name), 41, 39}, /* code_object.name */
    {AT(code.qualname), 42, 39}, /* code_object.qualname */
    {AT(code.first_line), 44, 39}, /* code_object.firstlineno */
    {AT(code.lines), 43, 39}, /* code_object.linetable */
    {AT(code.instructions), 48, 39}, /* code_object.co_code_adaptive */
    {AT(object.type), 51, 50}, /* pyobject.ob_type */
    {AT(type.name), 53, 52}, /* type_object.tp_name */
    {AT(type.flags), 55, 52}, /* type_object.tp_flags */
    {AT(text.length), 79, 77}, /* unicode_object.length */
    {AT(text.state), 78, 77}, /* unicode_object.state */
    {AT(text.ascii), 80, 77}, /* unicode_object.asciiobject_size */
    {AT(bytes.size), 75, 74}, /* bytes_object.ob_size */
    {AT(bytes.data), 76, 74}, /* bytes_object.ob_sval */
    {AT(integer.tag), 72, 71}, /* long_object.lv_tag */
    {AT(integer.digits), 73, 71}, /* long_object.ob_digit */
    {AT(dict.keys), 67, 66}, /* dict_object.ma_keys */
    {AT(dict.values), 68, 66}, /* dict_object.ma_values */
    {-1, 95, 0}, /* the number of words */
};

static const struct debug_member debug_members_15[] = {
    {AT(runtime.interpreters), 5, 3}, /* runtime_state.interpreters_head */
    {AT(interpreter.next), 8, 6}, /* interpreter_state.next */
    {AT(interpreter.id), 7, 6}, /* interpreter_state.id */
    {AT(interpreter.threads), 9, 6}, /* interpreter_state.threads_head */
    {AT(interpreter.gil), 15, 6}, /* interpreter_state.ceval_gil */
    {AT(interpreter.modules), 12, 6}, /* interpreter_state.imports_modules */
    {AT(thread.next), 24, 22}, /* thread_state.next */
    {AT(thread.ident), 30, 22}, /* thread_state.thread_id */
    {AT(thread.native_id), 31, 22}, /* thread_state.native_thread_id */
    {AT(thread.frame), 26, 22}, /* thread_state.current_frame */
    {AT(thread.chunk), 32, 22}, /* thread_state.datastack_chunk */
    {AT(frame.previous), 40, 39}, /* interpreter_frame.previous */
    {AT(frame.code), 41, 39}, /* interpreter_frame.executable */
    {AT(frame.owner), 44, 39}, /* interpreter_frame.owner */
    {AT(frame.at), 42, 39}, /* interpreter_frame.instr_ptr */
    {AT(code.file), 48, 47}, /* code_object.filename */
    {AT(code.name), 49, 47}, /* code_object.name */
    {AT(code.qualname), 50, 47}, /* code_object.qualname */
    {AT(code.first_line), 52, 47}, /* code_object.firstlineno */
    {AT(code.lines), 51, 47}, /* code_object.linetable */
    {AT(code.instructions), 56, 47}, /* code_object.co_code_adaptive */
    {AT(object.type), 59, 58}, /* pyobject.ob_type */
    {AT(type.name), 61, 60}, /* type_object.tp_name */
    {AT(type.flags), 63, 60}, /* type_object.tp_flags */
    {AT(text.length), 91, 89}, /* unicode_object.length */
    {AT(text.state), 90, 89}, /* unicode_object.state */
    {AT(text.ascii), 92, 89}, /* unicode_object.asciiobject_size */
    {AT(bytes.size), 87, 86}, /* bytes_object.ob_size */
    {AT(bytes.data), 88, 86}, /* bytes_object.ob_sval */
    {AT(integer.tag), 84, 83}, /* long_object.lv_tag */
    {AT(integer.digits), 85, 83}, /* long_object.ob_digit */
    {AT(dict.keys), 79, 78}, /* dict_object.ma_keys */
    {AT(dict.values), 80, 78}, /* dict_object.ma_values */
    {-1, 111, 0}, /* the number of words */
};

_Static_assert(sizeof(struct offsets) == 196, "run make-offset-tables");

static const struct offsets offset_tables[] = {
    /* from the headers of 3.9.18 */
    {.minor = 9,
     .runtime.interpreters = 32,
     .runtime.gil = 352,
     .interpreter.next = 0,
     .interpreter.id = 24,
     .interpreter.threads = 8,
     .interpreter.gil = -1,
     .interpreter.modules = 856,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 176,
     .thread.native_id = -1,
     .thread.frame = 24,
     .thread.frame_within = -1,
     .thread.chunk = -1,
     .thread.top = -1,
     .frame.previous = 24,
     .frame.code = 32,
     .frame.owner = -1,
     .frame.at = 104,
     .code.file = 104,
     .code.name = 112,
     .code.qualname = -1,
     .code.first_line = 40,
     .code.lines = 120,
     .code.instructions = -1,
     .code.first_traceable = -1,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 864,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 48,
     .text.compact = 72,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
    /* from the headers of 3.10.13 */
    {.minor = 10,
     .runtime.interpreters = 32,
     .runtime.gil = 352,
     .interpreter.next = 0,
     .interpreter.id = 24,
     .interpreter.threads = 8,
     .interpreter.gil = -1,
     .interpreter.modules = 856,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 176,
     .thread.native_id = -1,
     .thread.frame = 24,
     .thread.frame_within = -1,
     .thread.chunk = -1,
     .thread.top = -1,
     .frame.previous = 24,
     .frame.code = 32,
     .frame.owner = -1,
     .frame.at = 96,
     .code.file = 104,
     .code.name = 112,
     .code.qualname = -1,
     .code.first_line = 40,
     .code.lines = 120,
     .code.instructions = -1,
     .code.first_traceable = -1,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 872,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 48,
     .text.compact = 72,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
    /* from the headers of 3.11.7 */
    {.minor = 11,
     .runtime.interpreters = 40,
     .runtime.gil = 360,
     .interpreter.next = 0,
     .interpreter.id = 48,
     .interpreter.threads = 16,
     .interpreter.gil = -1,
     .interpreter.modules = 888,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 152,
     .thread.native_id = 160,
     .thread.frame = 56,
     .thread.frame_within = 8,
     .thread.chunk = 296,
     .thread.top = 304,
     .frame.previous = 48,
     .frame.code = 32,
     .frame.owner = 69,
     .frame.at = 56,
     .code.file = 112,
     .code.name = 120,
     .code.qualname = 128,
     .code.first_line = 72,
     .code.lines = 136,
     .code.instructions = 184,
     .code.first_traceable = 168,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 872,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 48,
     .text.compact = 72,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
    /* from the headers of 3.12.1 */
    {.minor = 12,
     .runtime.interpreters = 40,
     .runtime.gil = -1,
     .interpreter.next = 0,
     .interpreter.id = 8,
     .interpreter.threads = 72,
     .interpreter.gil = 384,
     .interpreter.modules = 944,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 136,
     .thread.native_id = 144,
     .thread.frame = 56,
     .thread.frame_within = 0,
     .thread.chunk = 232,
     .thread.top = 240,
     .frame.previous = 8,
     .frame.code = 0,
     .frame.owner = 70,
     .frame.at = 56,
     .code.file = 112,
     .code.name = 120,
     .code.qualname = 128,
     .code.first_line = 68,
     .code.lines = 136,
     .code.instructions = 192,
     .code.first_traceable = 176,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 880,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 40,
     .text.compact = 56,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
    /* from the headers of 3.13.0 */
    {.minor = 13,
     .runtime.interpreters = 632,
     .runtime.gil = -1,
     .interpreter.next = 7264,
     .interpreter.id = 7272,
     .interpreter.threads = 7344,
     .interpreter.gil = 16,
     .interpreter.modules = 7656,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 152,
     .thread.native_id = 160,
     .thread.frame = 72,
     .thread.frame_within = -1,
     .thread.chunk = 232,
     .thread.top = 240,
     .frame.previous = 8,
     .frame.code = 0,
     .frame.owner = 70,
     .frame.at = 56,
     .code.file = 112,
     .code.name = 120,
     .code.qualname = 128,
     .code.first_line = 68,
     .code.lines = 136,
     .code.instructions = 200,
     .code.first_traceable = 184,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 880,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 40,
     .text.compact = 56,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
    /* from the headers of 3.14.10 */
    {.minor = 14,
     .runtime.interpreters = 808,
     .runtime.gil = -1,
     .interpreter.next = 7272,
     .interpreter.id = 7280,
     .interpreter.threads = 7344,
     .interpreter.gil = 16,
     .interpreter.modules = 7688,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 152,
     .thread.native_id = 160,
     .thread.frame = 72,
     .thread.frame_within = -1,
     .thread.chunk = 232,
     .thread.top = 240,
     .frame.previous = 8,
     .frame.code = 0,
     .frame.owner = 74,
     .frame.at = 56,
     .code.file = 112,
     .code.name = 120,
     .code.qualname = 128,
     .code.first_line = 68,
     .code.lines = 136,
     .code.instructions = 208,
     .code.first_traceable = 192,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 880,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 40,
     .text.compact = 56,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
    /* from the headers of 3.15.2 */
    {.minor = 15,
     .runtime.interpreters = 936,
     .runtime.gil = -1,
     .interpreter.next = 7264,
     .interpreter.id = 7272,
     .interpreter.threads = 7336,
     .interpreter.gil = 16,
     .interpreter.modules = 7592,
     .gil.locked = 16,
     .gil.holder = 8,
     .gil.switches = 24,
     .gil.interval = 0,
     .thread.next = 8,
     .thread.ident = 176,
     .thread.native_id = 184,
     .thread.frame = 72,
     .thread.frame_within = -1,
     .thread.chunk = 256,
     .thread.top = 264,
     .frame.previous = 8,
     .frame.code = 0,
     .frame.owner = 74,
     .frame.at = 56,
     .code.file = 112,
     .code.name = 120,
     .code.qualname = 128,
     .code.first_line = 68,
     .code.lines = 136,
     .code.instructions = 208,
     .code.first_traceable = 192,
     .object.type = 8,
     .type.name = 24,
     .type.basicsize = 32,
     .type.dictoffset = 288,
     .type.flags = 168,
     .type.cached_keys = 888,
     .module.dict = 16,
     .text.length = 16,
     .text.state = 32,
     .text.ascii = 40,
     .text.compact = 56,
     .bytes.size = 16,
     .bytes.data = 32,
     .integer.digits = 24,
     .integer.tag = 16,
     .integer.digit_size = 4,
     .dict.keys = 32,
     .dict.values = 40,
    },
};
