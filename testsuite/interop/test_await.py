# SPDX-License-Identifier: BSD-3-Clause
"""Cells with await, in programs that run an asyncio loop. See also test_run_cell.py."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import (
    RPYC4,
    RPYC5,
    RPYC6,
    RPYC6_BOUND,
    Debuggee,
    Stock,
    command,
    debuggee_environment,
    pystuck,
)
from test_cells import cells, client_in_a_cell, command_line, failure
from test_prompt import Prompt


@pytest.fixture(
    params=[None, RPYC4, RPYC5, RPYC6, RPYC6_BOUND],
    ids=lambda stock: str(stock or "ours"),
    scope="module",
)
def program(request: pytest.FixtureRequest) -> Iterator[Debuggee]:
    """A program whose main thread runs a loop, with a server of each kind."""
    stock: Stock | None = request.param
    env = stock.environment() if stock else debuggee_environment()
    served = "SlaveService" if stock else ""
    with contextlib.closing(Loop(command("asyncio_server.py", served), env)) as debuggee:
        yield debuggee
        if not stock:
            debuggee.end_well()


class Loop(Debuggee):
    def close(self) -> None:
        """For contextlib.closing."""
        self.kill()


def test_values_and_output_come_here(program: Debuggee) -> None:
    text = cells(
        program,
        "import asyncio, threading",
        "async def f(n):\n    print('f', n)\n    await asyncio.sleep(0)\n    return 2 * n",
        "x = await f(2)\nx, threading.main_thread() is threading.current_thread()",
        "async def name(): return threading.current_thread().name\nawait name()",
        "await asyncio.gather(f(3), f(4))",
        "await f(5);",
        "_",
    )
    assert text == "f 2\n(4, False)\n'MainThread'\nf 3\nf 4\n[6, 8]\nf 5\n10\n"


def test_a_script_awaits_line_by_line(program: Debuggee) -> None:
    script = "import asyncio\nawait asyncio.sleep(0, 1)\nprint(await asyncio.sleep(0, 2))\n3\n"
    assert cells(program, stdin=script) == "1\n2\n3\n"


def test_input_is_read_here(program: Debuggee) -> None:
    code = "async def ask(): return input('? '), input()\nawait ask()"
    assert cells(program, code, stdin="a\nb\n") == "? ('a', 'b')\n"


def test_a_lot_is_printed(program: Debuggee) -> None:
    code = (
        "import asyncio\nasync def f():\n    for i in range(2000): print(i)\n"
        "    await asyncio.sleep(0)\n    print('x' * 10**7)\nawait f()"
    )
    assert cells(program, code) == "".join(f"{i}\n" for i in range(2000)) + "x" * 10**7 + "\n"


def test_an_exception_has_no_frames_but_the_programs(program: Debuggee) -> None:
    text = failure(program, "async def f():\n    1 / 0\nawait f()")
    assert text.startswith('Traceback (most recent call last):\n  File "<cell 0>", line 3, in <mod')
    assert text.count("  File ") == 2
    assert text.endswith("\nZeroDivisionError: division by zero\n")
    assert failure(program, "async def f(): raise SystemExit\nawait f()").endswith("\nSystemExit\n")
    assert cells(program, "import asyncio\nawait asyncio.sleep(0, 'well')") == "'well'\n"


TASKS = "import asyncio\nasync def f(): return len(asyncio.all_tasks()) - 1\nawait f()"


def test_ctrl_c_cancels_what_is_awaited(program: Debuggee) -> None:
    before = cells(program, TASKS)
    with client_in_a_cell(program, "import asyncio\nawait asyncio.sleep(3600)") as client:
        client.send_signal(signal.SIGINT)
        assert client.stderr is not None
        text = client.stderr.read()
        assert client.wait() == 130
    assert text.endswith("\nKeyboardInterrupt\n")
    assert cells(program, TASKS) == before


def test_ctrl_c_gets_out_where_the_loop_is_blocked(program: Debuggee) -> None:
    code = (
        "import asyncio, threading\n"
        "modules['__main__'].event = event = threading.Event()\n"
        "async def block(): event.wait()\n"
        "await block()"
    )
    with client_in_a_cell(program, code) as client:
        client.send_signal(signal.SIGINT)
        assert client.stderr is not None
        text = client.stderr.read()
        assert client.wait() == 130
    assert "KeyboardInterrupt" in text
    assert cells(program, "modules['__main__'].event.set()") == ""
    assert cells(program, "import asyncio\nawait asyncio.sleep(0, 'well')") == "'well'\n"


def test_await_where_no_loop_runs_is_an_error(stuck: Debuggee) -> None:
    text = failure(stuck, "import asyncio; await asyncio.sleep(0)")
    assert text == "RuntimeError: no asyncio loop runs in this program\n"
    assert pystuck(*command_line(stuck, "await 1")).returncode == 1


def test_await_at_the_prompt(program: Debuggee, tmp_path: Path) -> None:
    prompt = Prompt([program.host, program.port], tmp_path)
    prompt.cell("import asyncio")
    assert prompt.cell("await asyncio.sleep(0, 5)") == "Out[1]: 5\n\n"
    assert prompt.cell("_ + 1") == "Out[2]: 6\n\n"
    prompt.cell("async def gen():", "    yield 1", "    await asyncio.sleep(0)", "")
    assert prompt.cell("async for x in gen():", "    print(x)", "") == "1\n\n"
    assert "Out[5]: 7" in prompt.cell("await asyncio.sleep(", "0, 7)")
    prompt.type("print('begun'); await asyncio.sleep(3600)\r")
    prompt.expect("begun\r\n")
    prompt.type("\x03")
    assert "KeyboardInterrupt\n" in prompt.next()
    assert prompt.leave() == 0
