/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sent_module: Python source that the client sends to the debuggee, in a function.
 *
 * The function executes the source in a new namespace, so the source uses no names of the user. The
 * namespace has the names of builtins, as they are at this moment, because the program may replace
 * them later, and `arguments`: the namespace of the connection, then the arguments of the function.
 * The source assigns the function's result to `value`, which the function removes from the
 * namespace.
 */
#ifndef CLIENT_EVAL_SENT_MODULE_H
#define CLIENT_EVAL_SENT_MODULE_H

/* The source of such a function. Between both macros, include the .inc of the source: a Python
 * literal as C strings. name: the function's name, a C string literal. */
#define SENT_MODULE_BEGIN(name)                                                                    \
    "def " name "(*arguments):\n"                                                                  \
    "    import builtins\n"                                                                        \
    "    names = {\n"                                                                              \
    "        key: value for key, value in builtins.vars(builtins).items() if key[0] != '_'}\n"     \
    "    names['__name__'] = builtins.globals().get('__name__', 'builtins')\n"                     \
    "    names['arguments'] = (builtins.globals(), *arguments)\n"                                  \
    "    builtins.exec(\n"
#define SENT_MODULE_END                                                                            \
    "        , names)\n"                                                                           \
    "    return names.pop('value')\n"

#endif
