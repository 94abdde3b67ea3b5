# SPDX-License-Identifier: BSD-3-Clause
"""Cases for stock clients: what any user of rpyc's classic service does first."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from cases import PATIENCE, Differs, case, connect, raises


@case
def modules_are_those_of_the_debuggee(c: Any) -> None:
    assert c.modules.sys.version == sys.version
    assert c.modules.os.getpid() != __import__("os").getpid()
    assert c.modules.sys.argv[0].endswith(".py")


@case
def eval_gives_the_value(c: Any) -> None:
    assert c.eval("1+1") == 2
    assert c.eval("'a' * 3") == "aaa"


@case
def execute_fills_the_namespace(c: Any) -> None:
    assert c.execute("x=5") is None
    assert c.namespace["x"] == 5
    c.namespace["y"] = 6
    assert c.eval("x + y") == 11
    c.execute("def f(n):\n    return n * x\n")
    assert c.namespace["f"](3) == 15


@case
def a_module_within_a_package_is_found(c: Any) -> None:
    assert c.modules["os.path"].join("a", "b") == "a/b"
    assert c.modules["xml.dom"].__name__ == "xml.dom"
    assert c.modules.os.path.join("a", "b") == "a/b"


@case
def a_module_is_found_by_a_tuple(c: Any) -> None:
    assert c.modules["os", "path"].join("a", "b") == "a/b"


@case
def builtins_take_lists_of_the_client(c: Any) -> None:
    assert c.builtins.len([1, 2, 3]) == 3
    assert c.builtin.len([1, 2]) == 2


@case
def an_exception_arrives_as_its_builtin_class(c: Any) -> None:
    with raises(ZeroDivisionError) as caught:
        c.eval("1/0")
    assert caught.value.args == ("division by zero",)
    assert "========= Remote Traceback (1) =========" in str(caught.value)
    assert "ZeroDivisionError: division by zero" in str(caught.value)


@case(Differs("the rpyc of the server is another one, and says so", client="rpyc4", server="rpyc5"))
def no_exception_warns_of_another_version(c: Any) -> None:
    with raises(ZeroDivisionError) as caught:
        c.eval("1/0")
    assert "WARNING" not in str(caught.value)


@case
def ping_is_answered(c: Any) -> None:
    c.ping()
    c.ping("\N{SNOWMAN}" * 10_000, timeout=PATIENCE)
    c.ping((1, None, b"x", 2.5, ("nested", ())), timeout=PATIENCE)


@case
def close_closes(c: Any) -> None:
    started = time.monotonic()
    c.close()
    assert c.closed
    assert time.monotonic() - started < 5
    with raises(EOFError):
        c.ping()


@case
def ten_clients_work_at_once(c: Any) -> None:
    together = threading.Barrier(10, timeout=PATIENCE)
    results: list[Any] = []

    def one(number: int) -> None:
        mine = connect()
        together.wait()
        mine.execute(f"x = {number}")
        for _ in range(20):
            assert mine.eval("x") == number
            assert mine.modules["os.path"].join("a", str(number)) == f"a/{number}"
        together.wait()
        results.append(mine.builtins.len(list(range(number))))
        mine.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(results) == list(range(10))
