# SPDX-License-Identifier: BSD-3-Clause
"""Chains of names, attributes, items and calls, which the client evaluates itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forwarder import Forwarder
from harness import (
    PATIENCE,
    RPYC6,
    Debuggee,
    Stock,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    pystuck,
    wait_until,
)
from rpyc.core import brine, consts

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: For the fixture `lasting`: these tests keep frames of the program, so leaks cannot be checked.
LOOKS_AT_FRAMES = True


@pytest.fixture(params=[(), ("--no-exec",)], ids=["cells", "no-exec"])
def how(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Options: with code in the program, or without."""
    return request.param


def where(debuggee: Debuggee) -> list[str]:
    """The arguments that connect to it."""
    return ["--host", str(debuggee.host), "--port", str(debuggee.port)]


def run(debuggee: Debuggee, *arguments: str, **more: Any) -> str:
    """The output of the client, which must succeed."""
    done = pystuck(*where(debuggee), *arguments, **more)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def codes(*lines: str) -> list[str]:
    """Options that run each of the lines."""
    return [part for line in lines for part in ("-c", line)]


def failure(debuggee: Debuggee, *arguments: str) -> str:
    """The traceback of a client that fails."""
    done = pystuck(*where(debuggee), *arguments)
    assert done.returncode == 1
    return done.stderr


# ---- Values --------------------------------------------------------------------------------------


def test_the_chains_of_the_readme(server: Debuggee, how: tuple[str, ...]) -> None:
    text = run(
        server,
        *how,
        *codes(
            "modules['sys']._current_frames();",
            "modules['threading'].main_thread().ident;",
            "_0[_].f_code.co_name",
            "_0[_1].f_globals['lock']",
        ),
    )
    first, second = text.splitlines()
    assert first == "'<module>'"
    assert second.startswith("<locked _thread.RLock object owner=")


def test_steps_of_all_kinds(server: Debuggee, how: tuple[str, ...]) -> None:
    text = run(
        server,
        *how,
        *codes(
            "modules.os.path.join('a', 'b')",
            "modules['os.path'].sep",
            "modules.collections.OrderedDict(a=1, b=(2, 3.5))['b'][1]",
            "modules.json.dumps((1, None, True), indent=None, separators=(',', ':'))",
            "modules.os.path.join('a', 'b').upper().split('/')[0]",
            "modules.operator.itemgetter(1, 2)('abc')",
            "(modules.string.digits[2:5], modules.string.digits[::-3])",
            "modules.builtins.dict(modules.builtins.zip('ab', (1, 2)))",
            "modules.math.factorial(25)",
            "modules.operator.neg(-0x10)",
        ),
    )
    assert text.splitlines() == [
        "'a/b'",
        "'/'",
        "3.5",
        "'[1,null,true]'",
        "'A'",
        "('b', 'c')",
        "('234', '9630')",
        "{'a': 1, 'b': 2}",
        "15511210043330985984000000",
        "16",
    ]


LITERALS = """
0 7 -7 007 1_000 1__0 0x1F 0XfF 0o17 0b101 -0x10 9223372036854775807 9223372036854775808 -5e3
0xffffffffffffffffff 123456789012345678901234567890 -123456789012345678901234567890 1. .5 1e10
1e22 1e16 123456789.125 0.1 1e-5 0.0001 -0.0 1E+5 2.5e-7 1e999 3j -2.5j 0j 1_0.2_5 5e-324
'' 'a' "b" 'it\\'s' "it's" 'both \\' "' '\\n\\t\\\\\\r' '\\x41\\u1234\\U0001f4a9' '\\101\\0'
r'\\n' R"\\d'"
u'x' b'x' b'\\x00\\xff\\'' rb'\\x' Rb"\\'" bR'a' 'a' "\u2603 \u00e9" 'a' 'b' '\\x80\\x9f' '\\q'
None True False ... () (1,) (1,2) ((),(1,(2,))) (None,...,b'',-1.5)
""".split()


def test_literals_are_what_they_are_in_python(ours: Debuggee) -> None:
    literals = [each for each in LITERALS if is_literal(each)]
    assert len(literals) > 60
    lines = [line for each in literals for line in (f"x = ({each},)", "x")]
    text = run(ours, "--no-exec", *codes(*lines))
    expected = [f"({eval(each)!r},)" for each in literals]
    assert text.splitlines() == expected


def is_literal(text: str) -> bool:
    """Returns True if the client accepts the text as a literal."""
    if text.startswith("0xfffffffffffffffff") or "\\q" in text:
        return False
    try:
        compile(text, "x", "eval")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("text", [each for each in LITERALS if not is_literal(each)])
def test_text_that_is_not_a_literal_is_refused(ours: Debuggee, text: str) -> None:
    assert "\nSyntaxError: cannot run code in the program: " in failure(
        ours, "--no-exec", "-c", f"({text},)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1",
        "modules.os.getpid() + 1",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "not modules",
        "modules.os if 1 else 2",
        "(x := 1)",
        "modules.os.getpid(*())",
        "modules.os.getpid(**{})",
        "-5 .real",
        "1, 2",
        "modules.os; modules.sys",
        "'abc",
        "'''abc'''",
        "f'x'",
        "b'x' 'y'",
        "x == 1",
        "await modules",
        " modules",
        "def f(): pass",
        "f() = 1",
        "del f()",
        "import",
        "import a.",
        "from os import path",
        "modules.class",
        "modules.",
        "modules[]",
        "x = ",
        "{1: 2, 3}",
        "modules.os.getpid(a=1, a==2)",
    ],
)
def test_python_beyond_chains_is_refused_without_code(ours: Debuggee, text: str) -> None:
    error = failure(ours, "--no-exec", "-c", text)
    line = text.splitlines()[0]
    assert error.startswith(
        f'Traceback (most recent call last):\n  File "<cell 0>", line 1, in <module>\n    {line}\n'
        "SyntaxError: cannot run code in the program: "
    )


def test_lists_sets_and_dicts_are_created_in_the_program(ours: Debuggee) -> None:
    lines = ["[1, [2]]", "{1: 'a', 2: [3]}", "{3}", "{}", "[]", "modules.builtins.len([1, 2])"]
    text = run(ours, "--no-exec", *codes(*lines))
    assert text.splitlines() == ["[1, [2]]", "{1: 'a', 2: [3]}", "{3}", "{}", "[]", "2"]


def test_statements_without_code(server: Debuggee) -> None:
    text = run(
        server,
        "--no-exec",
        *codes(
            "x = modules.collections.Counter('abca')",
            "x['a']",
            "x['b'] = 7",
            "del x['c']",
            "x",
            "import types",
            "n = types.SimpleNamespace(a=1)",
            "n.b = 2",
            "del n.a",
            "n",
            "import os.path as p",
            "p.sep;",
            "_",
            "import xml.dom",
            "xml.dom.__name__",
            "# nothing",
            "",
            "In[1]",
            "Out[1]",
            "del n",
        ),
    )
    assert text.splitlines() == [
        "2",
        "Counter({'b': 7, 'a': 2})",
        "namespace(b=2)",
        "'/'",
        "'xml.dom'",
        "\"x['a']\"",
        "2",
    ]
    assert failure(server, "--no-exec", *codes("n = 1", "del n", "n")).endswith(
        "\nNameError: name 'n' is not defined\n"
    )


def test_a_script_without_code_runs_statement_by_statement(ours: Debuggee) -> None:
    script = "import os\nos.path.join('a',\n  # comment\n  'b')\n\nx = os.sep\nx\nx;\n"
    assert run(ours, "--no-exec", stdin=script) == "'a/b'\n'/'\n"
    done = pystuck(*where(ours), "--no-exec", stdin="1\nmodules.os.path.join('a',\n")
    assert (done.returncode, done.stdout) == (1, "1\n")
    assert "SyntaxError" in done.stderr


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (("_ = 'mine'", "5", "_", "(Out[1], _1)"), ["5", "'mine'", "(5, 5)"]),
        (("1", "2", "__ = 'mine'", "3", "(_, __)"), ["1", "2", "3", "(2, 'mine')"]),
        (("1", "_ = 'mine'", "2", "del _", "3", "_"), ["1", "2", "3", "3"]),
    ],
)
def test_the_latest_value_does_not_replace_a_variable_of_the_user(
    server: Debuggee, how: tuple[str, ...], lines: tuple[str, ...], printed: list[str]
) -> None:
    assert run(server, *how, *codes(*lines)).splitlines() == printed


def test_the_latest_values_have_names_in_a_script_without_code(server: Debuggee) -> None:
    script = "1\n2;\n3\nNone\n(_, __, ___)\n(Out[0], _4)\n"
    printed = "1\n3\n(3, 2, 1)\n(1, (3, 2, 1))\n"
    assert run(server, "--no-exec", stdin=script) == printed


def test_a_namespace_is_shared_by_chains_and_cells(server: Debuggee) -> None:
    text = run(
        server,
        *codes(
            "x = {'k': [1, 2]}",
            "x['k']",
            "_ + [3]",
            "__ is x['k'], _1 is x['k'], Out[2], In[1]",
            "x.update(modules.builtins.dict(z=_1))",
            "x['z'] is _1",
            "x.clear()",
            "x",
        ),
    )
    assert text.splitlines() == [
        "[1, 2]",
        "[1, 2, 3]",
        "(True, True, [1, 2, 3], \"x['k']\")",
        "True",
        "{}",
    ]


# ---- Frames, and round trips ---------------------------------------------------------------------


def test_the_request_adds_one_frame(ours: Debuggee, how: tuple[str, ...]) -> None:
    text = run(ours, *how, *codes("modules['sys']._current_frames()"))
    assert text.count("<frame at ") == 3
    assert text.count("file '<pystuck>', line 3, code request>") == 1
    assert "code work" in text
    assert "code <module>" in text


#: Requests for whose replies the client does not wait.
NOT_WAITED_FOR = (consts.HANDLE_DEL, consts.HANDLE_CLOSE)


def is_waited_for(payload: bytes) -> bool:
    """Returns True if the client waits for the reply to this request. Envelope: rpyc 6.0."""
    _, arguments = brine.load(payload[1:])
    return payload[0] == consts.MSG_REQUEST and arguments[0] not in NOT_WAITED_FOR


def messages(debuggee: Debuggee, *lines: str) -> int:
    """Returns the number of requests that the client waits for because of these cells."""

    def count(*all_lines: str) -> int:
        with Forwarder(debuggee) as between:
            done = pystuck("--port", between.port, *codes(*all_lines))
        assert (done.returncode, done.stderr) == (0, "")
        return sum(map(is_waited_for, between.sent))

    return count("", *lines) - count("")


def test_a_cell_costs_one_round_trip(ours: Debuggee) -> None:
    assert messages(ours, "1 + 1;") == 1
    assert messages(ours, "x = 5\nfor i in range(9): x += i\nx") == 1


@pytest.mark.parametrize(
    ("chain", "steps"),
    [
        ("modules", 1),
        ("modules.os", 2),
        ("modules['os'].path.sep", 4),
        ("modules.os.getpid()", 3),
        ("modules.os.path.join('a', 'b')", 4),
        ("modules.os.environ['PATH']", 4),
    ],
)
def test_a_chain_costs_one_message_for_each_step_and_one_to_show(
    ours: Debuggee, chain: str, steps: int
) -> None:
    begins = chain.count("(")  # each call has one more request: it connects the streams
    assert messages(ours, chain) == steps + begins + 1


# ---- The stacks ----------------------------------------------------------------------------------


def test_the_stacks_need_no_code(server: Debuggee) -> None:
    def stacks(*options: str) -> set[str]:
        """The stacks of the program's own threads, without those of stock servers."""
        text = run(server, "--no-repl", *options)
        each = {
            each.strip("\n") for each in text.split("\n\n") if each.lstrip("\n").startswith("<")
        }
        return {one for one in each if "could block" in one or "readline()" in one}

    found = stacks("--no-exec")
    assert len(found) == 2
    assert found == stacks()
    text = run(server, "--no-repl", "--no-exec")
    assert "<_MainThread(MainThread, started " in text
    assert "get_ident" not in text


def test_the_stacks_as_json_need_no_code(server: Debuggee) -> None:
    found = json.loads(run(server, "--no-exec", "--json"))
    (main,) = (each for each in found["threads"] if each["main"])
    assert main["name"] == "MainThread"
    assert main["frames"][0]["function"] == "<module>"
    is_ours = found["source"] == "server"
    assert is_ours or [each["what"] for each in found["missing"]] == ["greenlets"]


# ---- What is printed -----------------------------------------------------------------------------


def test_output_of_a_call_reaches_the_client(server: Debuggee) -> None:
    text = run(
        server,
        *codes(
            "def talk(x):\n    print('said', x)\n    return 5",
            "talk(1)",
            "modules.builtins.print('a', 'b', sep='-')",
            "print('c')",
        ),
    )
    assert text == "said 1\n5\na-b\nc\n"


def test_a_chain_may_read(server: Debuggee) -> None:
    assert run(server, *codes("modules.sys.stdin.readline()"), stdin="typed\n") == "'typed\\n'\n"


IS_AS_BEFORE = "(lambda s: s.stdout is s.__stdout__ and s.stdin is s.__stdin__)(__import__('sys'))"


@pytest.mark.parametrize("stock", [None, RPYC6], ids=lambda stock: str(stock or "ours"))
def test_the_streams_are_restored_when_the_client_dies_in_a_call(
    lasting: Callable[..., Debuggee], connect: Connect, stock: Stock | None
) -> None:
    server = lasting(stock)
    other = connect(server)
    other.execute(
        "import __main__, threading; __main__.begun, __main__.go = False, threading.Event()"
    )
    other.execute("def wait():\n    __main__.begun = True\n    return __main__.go.wait()")
    other.execute("__main__.wait = wait")
    argv = c_program("PYSTUCK_BIN", *where(server), *codes("modules['__main__'].wait()"))
    with subprocess.Popen(argv, env=clean_environment()) as client:
        wait_until(lambda: other.eval("__main__.begun"), "the call")
        client.send_signal(signal.SIGKILL)
    other.execute("__main__.go.set()")
    wait_until(lambda: other.eval(IS_AS_BEFORE), "the streams to be put back")


# ---- Exceptions ----------------------------------------------------------------------------------


def test_exceptions_have_no_frames_of_the_server(server: Debuggee, how: tuple[str, ...]) -> None:
    text = failure(server, *how, *codes("modules.json.loads('{')"))
    lines = [line for line in text.splitlines() if line.strip(" ^~")]
    assert lines[:6] == [
        "Traceback (most recent call last):",
        '  File "<cell 0>", line 1, in <module>',
        "    modules.json.loads('{')",
        *json_frames(),
    ]


def json_frames() -> list[str]:
    """The first frame inside json.loads."""
    try:
        json.loads("{")
    except ValueError as error:
        entry = error.__traceback__.tb_next
        code = entry.tb_frame.f_code
        lines = Path(code.co_filename).read_text().splitlines()
        return [
            f'  File "{code.co_filename}", line {entry.tb_lineno}, in {code.co_name}',
            "    " + lines[entry.tb_lineno - 1].strip(),
            f'  File "{sys.modules["json.decoder"].__file__}", '
            f"line {entry.tb_next.tb_lineno}, in decode",
        ]
    raise AssertionError


@pytest.mark.parametrize(
    ("chain", "error"),
    [
        ("modules.os.no_such", "AttributeError: module 'os' has no attribute 'no_such'"),
        ("modules.no_such", "AttributeError: there is no module 'no_such'"),
        ("modules['no.such']", "ModuleNotFoundError: No module named 'no'"),
        ("modules.os.environ['no such']", "KeyError: 'no such'"),
        ("no_such", "NameError: name 'no_such' is not defined"),
        ("modules.builtins.len(no_such)", "NameError: name 'no_such' is not defined"),
        ("modules.os.getpid(1)", "TypeError: "),
    ],
)
def test_an_exception_of_a_chain_is_shown_like_that_of_a_cell(
    server: Debuggee, how: tuple[str, ...], chain: str, error: str
) -> None:
    text = failure(server, *how, *codes(chain))
    heading = 'Traceback (most recent call last):\n  File "<cell 0>", line 1, in <module>\n'
    assert text.startswith(f"{heading}    {chain}\n")
    last = text.splitlines()[-1]
    assert last.startswith(error)
    assert text.count("File ") == 1 + ("environ" in chain)


def test_calling_a_plain_value_is_a_type_error(ours: Debuggee) -> None:
    text = failure(ours, "--no-exec", *codes("modules.os.sep()()"))
    assert "TypeError: " in text


# ---- Ctrl-C --------------------------------------------------------------------------------------


def start(debuggee: Debuggee, *arguments: str) -> subprocess.Popen[str]:
    """Starts the client, with pipes."""
    return subprocess.Popen(
        c_program("PYSTUCK_BIN", *where(debuggee), *arguments),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_ctrl_c_interrupts_a_call(server: Debuggee) -> None:
    lines = codes(
        "def spin():\n    print('spinning')\n    while True: list(range(10))",
        "spin()",
    )
    with start(server, *lines) as client:
        try:
            assert client.stdout is not None
            assert client.stderr is not None
            assert client.stdout.readline() == "spinning\n"
            client.send_signal(signal.SIGINT)
            text = client.stderr.read()
            assert client.wait(PATIENCE) == 130
        finally:
            client.kill()
    assert '  File "<cell 1>", line 1, in <module>\n    spin()\n  File "<cell 0>", line 3' in text
    assert text.splitlines()[-1].split(".")[-1] == "KeyboardInterrupt"
    assert run(server, "-c", "1") == "1\n"


def test_ctrl_c_stops_waiting_for_a_call_without_code(ours: Debuggee, connect: Connect) -> None:
    other = connect(ours)
    other.execute(
        "import __main__, threading; __main__.begun, __main__.go = False, threading.Event()"
    )
    other.execute("def wait():\n    __main__.begun = True\n    return __main__.go.wait()")
    other.execute("__main__.wait = wait")
    with start(ours, "--no-exec", *codes("modules['__main__'].wait()")) as client:
        try:
            wait_until(lambda: other.eval("__main__.begun"), "the call")
            client.send_signal(signal.SIGINT)
            _, errors = client.communicate(timeout=PATIENCE)
        finally:
            client.kill()
            other.execute("__main__.go.set()")
    assert client.returncode == 130
    assert errors == "pystuck: interrupted\n"


def test_ctrl_c_stops_waiting_for_a_repr_without_code(ours: Debuggee, connect: Connect) -> None:
    other = connect(ours)
    other.execute(
        "import __main__, threading; __main__.begun, __main__.go = False, threading.Event()\n"
        "class Slow:\n    def __repr__(self):\n        __main__.begun = True\n"
        "        __main__.go.wait()\n        return 'slow'\n"
        "__main__.slow = Slow()"
    )
    with start(ours, "--no-exec", *codes("modules['__main__'].slow")) as client:
        try:
            wait_until(lambda: other.eval("__main__.begun"), "the repr")
            client.send_signal(signal.SIGINT)
            _, errors = client.communicate(timeout=PATIENCE)
        finally:
            client.kill()
            other.execute("__main__.go.set()")
    assert (client.returncode, errors) == (130, "pystuck: interrupted\n")


# ---- Services that run no code -------------------------------------------------------------------


@pytest.fixture(params=["ours", "stock"])
def service(request: pytest.FixtureRequest) -> Iterator[Callable[..., Debuggee]]:
    """Starts a program that serves an rpyc.Service."""
    started = []

    def serve(name: str, **config: Any) -> Debuggee:
        env = debuggee_environment()
        env["PYTHONPATH"] += os.pathsep + os.environ["PYSTUCK_RPYC6"]
        argv = command("service_server.py", request.param, json.dumps(config), name)
        started.append(Debuggee(argv, env))
        return started[-1]

    yield serve
    for debuggee in started:
        debuggee.kill()


def test_a_service_without_execute_gets_chains_automatically(
    service: Callable[..., Debuggee],
) -> None:
    debuggee = service("ModestService", allow_all_attrs=True)
    pid = f"{debuggee.pid}\n"
    assert "<_MainThread(MainThread, started " in run(debuggee, "--no-repl")
    assert run(debuggee, *codes("modules['os'].getpid()", "x = _", "x")) == pid + pid
    assert "SyntaxError: cannot run code in the program" in failure(debuggee, "-c", "1 + 1")


def test_a_service_without_modules_has_its_root(service: Callable[..., Debuggee]) -> None:
    debuggee = service("TheService")
    text = run(
        debuggee,
        *codes("root.greet('you')", "root.thing()", "_.shown", "(1, 'it\\'s', b'x', 2.5, None)"),
    ).splitlines()
    assert text[0] == "'hello you'"
    assert text[1].startswith("<__main__.Thing object at ")
    assert text[2:] == ["2", "(1, \"it's\", b'x', 2.5, None)"]
    assert "AttributeError: cannot access 'getmodule'" in failure(debuggee, "-c", "modules.os")


# ---- Values that are hard to show ----------------------------------------------------------------


def test_a_repr_that_raises_or_is_long_is_shown_shortened(
    ours: Debuggee, how: tuple[str, ...]
) -> None:
    setting = (
        "class Bad:\n    def __repr__(self): 1 / 0\n"
        "class Worse:\n    def __repr__(self): raise SystemExit\n"
        "class Long:\n    def __repr__(self): return 'x' * 100_000_000\n"
        "import __main__; __main__.bad, __main__.worse, __main__.long = Bad(), Worse(), Long()"
    )
    run(ours, "-c", setting)
    text = run(ours, *how, "-c", "modules.__main__.bad")
    assert "Bad" in text
    assert text.endswith("(its repr raised ZeroDivisionError)\n")
    text = run(ours, *how, "-c", "modules.__main__.worse")
    assert text.endswith("(its repr raised SystemExit)\n")
    text = run(ours, *how, "-c", "modules.__main__.long")
    assert 1_000_000 < len(text) < 1_100_000


def test_values_are_folded_at_the_width_of_the_terminal(ours: Debuggee) -> None:
    chain = codes("modules.builtins.tuple(modules.builtins.range(50))")
    assert run(ours, "--no-exec", *chain) == run(ours, *chain)
    assert len(run(ours, "--no-exec", *chain).splitlines()) == 50
