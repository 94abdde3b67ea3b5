# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: exceptions that the server raises."""

from __future__ import annotations

import json
from typing import Any

from cases import Differs, case, raises


@case
def an_exception_has_its_arguments_and_attributes(c: Any) -> None:
    with raises(FileNotFoundError) as caught:
        c.builtins.open("/does/not/exist")
    assert caught.value.errno == 2
    assert caught.value.filename == "/does/not/exist"
    assert caught.value.args == (2, "No such file or directory")
    with raises(KeyError) as caught:
        c.execute("raise KeyError(1, 'two', b'3', None, (4.5,))")
    assert caught.value.args == (1, "two", b"3", None, (4.5,))


@case
def arguments_of_an_exception_that_are_objects_come_as_their_repr(c: Any) -> None:
    with raises(ValueError) as caught:
        c.execute("e = ValueError([1, 2], 'x'); e.extra = {3: 4}; e.plain = 5; raise e")
    assert caught.value.args == ("[1, 2]", "x")
    assert caught.value.extra == "{3: 4}"
    assert caught.value.plain == 5


@case
def the_traceback_names_the_frames_of_the_server(c: Any) -> None:
    c.execute("def outer():\n    inner()\ndef inner():\n    raise LookupError('deep')\n")
    with raises(LookupError) as caught:
        c.namespace["outer"]()
    text = str(caught.value)
    assert text.index("in outer") < text.index("in inner") < text.index("LookupError: deep")


@case
def an_exception_of_a_known_module_is_of_its_class(c: Any) -> None:
    with raises(json.JSONDecodeError) as caught:
        c.modules.json.loads("[1, ")
    assert (caught.value.lineno, caught.value.doc) == (1, "[1, ")


@case
def an_exception_of_an_unknown_class_has_its_name(c: Any) -> None:
    c.execute("__name__ = 'elsewhere'\nclass Odd(Exception): pass\n")
    with raises(Exception) as caught:
        c.execute("raise Odd('really', 1)")
    assert type(caught.value).__name__ == "elsewhere.Odd"
    assert caught.value.args == ("really", 1)
    assert "elsewhere.Odd: ('really', 1)" in str(caught.value)


@case(Differs("it loses the connection", server="rpyc*"))
def an_exception_that_cannot_be_printed_arrives(c: Any) -> None:
    c.execute(
        "class Bad(ValueError):\n"
        "    def __str__(self): raise RuntimeError('no str')\n"
        "    def __repr__(self): raise RuntimeError('no repr')\n"
        "    @property\n"
        "    def broken(self): raise RuntimeError('no attribute')\n"
    )
    with raises(Exception) as caught:
        c.execute("raise Bad(1)")
    assert not isinstance(caught.value, EOFError)
    assert c.eval("1+1") == 2


@case
def a_syntax_error_is_one(c: Any) -> None:
    with raises(SyntaxError) as caught:
        c.execute("x = ")
    assert caught.value.lineno == 1
    with raises(SyntaxError):
        c.eval("x = 1")


@case
def an_unknown_attribute_is_an_attribute_error(c: Any) -> None:
    with raises(AttributeError):
        c.modules.sys.no_such_thing  # noqa: B018
    with raises(AttributeError):
        c.eval("object()").no_such_thing  # noqa: B018
    with raises(AttributeError):
        c.root.no_such_thing  # noqa: B018
    with raises(AttributeError):
        del c.eval("lambda: 1").no_such_thing


@case
def an_unknown_module_is_an_import_error(c: Any) -> None:
    with raises(ModuleNotFoundError) as caught:
        c.modules["no_such_module"]
    assert caught.value.name == "no_such_module"


@case(Differs("its `modules` lets the ImportError through", client="rpyc4"))
def an_unknown_module_is_an_unknown_attribute(c: Any) -> None:
    with raises(AttributeError):
        c.modules.no_such_module  # noqa: B018


@case
def stop_iteration_ends_an_iteration(c: Any) -> None:
    iterator = c.eval("iter([1])")
    assert next(iterator) == 1
    with raises(StopIteration):
        next(iterator)
    with raises(StopIteration):
        c.execute("raise StopIteration")


@case
def system_exit_ends_nothing(c: Any) -> None:
    with raises(SystemExit):
        c.modules.sys.exit(3)
    assert c.eval("1+1") == 2


@case(Differs("it ends the thread that serves the client", server="rpyc*"))
def keyboard_interrupt_ends_nothing(c: Any) -> None:
    with raises(KeyboardInterrupt):
        c.execute("raise KeyboardInterrupt")
    assert c.eval("1+1") == 2


@case
def endless_recursion_is_an_exception(c: Any) -> None:
    c.execute("def f():\n    return f()\n")
    with raises(RecursionError):
        c.namespace["f"]()
    assert c.eval("1+1") == 2
