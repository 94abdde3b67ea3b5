# SPDX-License-Identifier: BSD-3-Clause
"""Cells: pystuck -c CODE, and a script on stdin, with pystuck's server and stock servers."""

from __future__ import annotations

import contextlib
import os
import pprint
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forwarder import Forwarder
from harness import (
    PATIENCE,
    RPYC5,
    RPYC6,
    SERVERS,
    Debuggee,
    Stock,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    pystuck,
    tell,
    wait_until,
)

Start = Callable[..., Debuggee]
Connect = Callable[[Debuggee], Any]

#: For the fixture `lasting`: these tests keep frames of the program, so leaks cannot be checked.
LOOKS_AT_FRAMES = True


def command_line(debuggee: Debuggee, *codes: str) -> list[str]:
    """The arguments that run cells in a debuggee."""
    where = ["--host", str(debuggee.host), "--port", str(debuggee.port)]
    return [*where, *(part for code in codes for part in ("-c", code))]


def cells(debuggee: Debuggee, *codes: str, stdin: str = "", **more: Any) -> str:
    """The output of cells without an exception."""
    done = pystuck(*command_line(debuggee, *codes), stdin=stdin, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def failure(debuggee: Debuggee, *codes: str, stdin: str = "", printed: str = "") -> str:
    """The traceback of cells that raise an exception."""
    done = pystuck(*command_line(debuggee, *codes), stdin=stdin)
    assert (done.returncode, done.stdout) == (1, printed)
    return done.stderr


def start_client(debuggee: Debuggee, *codes: str, **options: Any) -> subprocess.Popen[str]:
    """Starts the client, with pipes."""
    return subprocess.Popen(
        c_program("PYSTUCK_BIN", *command_line(debuggee, *codes)),
        env=clean_environment(),
        **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
        text=True,
        # SIGINT may be ignored if the tests run in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@contextlib.contextmanager
def client_in_a_cell(debuggee: Debuggee, code: str) -> Iterator[subprocess.Popen[str]]:
    """A client whose cell has printed "go" and now runs `code`."""
    with start_client(debuggee, f"import sys; print('go')\n{code}") as client:
        watchdog = threading.Timer(PATIENCE, client.kill)
        watchdog.start()
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "go\n"
            yield client
        finally:
            watchdog.cancel()
            client.kill()


# ---- Values --------------------------------------------------------------------------------------


def test_values_are_printed_by_pprint_at_80_columns(server: Debuggee) -> None:
    values = [
        1,
        "text",
        "gr\xfc\xdf \N{SNOWMAN} \N{PILE OF POO}",
        b"bytes",
        list(range(25)),
        list(range(60)),
        {"b": [1] * 30, "a": {"c": ("x" * 30, "y" * 30, "z" * 30)}},
        "a long text with spaces " * 10,
        "two\nlines",
        (),
        {3, 1, 2},
    ]
    expected = "".join(pprint.pformat(value, width=80) + "\n" for value in values)
    assert cells(server, *map(ascii, values)) == expected


def test_cells_share_a_namespace(server: Debuggee) -> None:
    text = cells(
        server,
        "x = 20; import os.path as p",
        "def twice(n):\n    return 2 * n",
        "twice(x) + 2",
        "p.basename('/a/b')",
        "class C:\n    y = x\nC.y",
        "[x for _ in range(2)]",
    )
    assert text == "42\n'b'\n20\n[20, 20]\n"


def test_a_cell_without_a_value_prints_nothing(server: Debuggee) -> None:
    assert cells(server, "None", "x = 1", "pass", "", "# comment", "print", "if 1: 2") == (
        "<built-in function print>\n"
    )


def test_only_the_last_value_of_a_cell_is_shown(ours: Debuggee) -> None:
    assert cells(ours, "1\n2; 3") == "3\n"


@pytest.mark.parametrize("code", ["1;", "1 ; ", "1; # comment", "1;\n\n# comment\n", "x = 1\n1;"])
def test_a_semicolon_suppresses_the_value(ours: Debuggee, code: str) -> None:
    assert cells(ours, code, "_") == "1\n"


@pytest.mark.parametrize("code", ["';'", "'a' # ;", "'''x\n;'''"])
def test_a_semicolon_elsewhere_suppresses_nothing(ours: Debuggee, code: str) -> None:
    assert cells(ours, code) == pprint.pformat(eval(code)) + "\n"


def test_the_last_results_have_names(server: Debuggee) -> None:
    text = cells(
        server,
        "_, __, ___",
        "11",
        "22;",
        "None",
        "_, __, ___",
        "_1 + _2",
        "Out[1], sorted(Out), In[1], In[3], len(In)",
    )
    assert text.splitlines() == [
        "('', '', '')",
        "11",
        "(22, 11, ('', '', ''))",
        "33",
        "(11, [0, 1, 2, 4, 5], '11', 'None', 7)",
    ]


def test_modules_gives_access_to_the_modules(server: Debuggee) -> None:
    text = cells(
        server,
        "modules['__main__'].lock",
        "modules.os.path.sep, modules['os.path'].sep, modules['xml.dom'].__name__",
        "'json' in modules, 'xml.dom' in modules, 'no_such' in modules, 'json.no' in modules",
        "modules.sys is __import__('sys')",
        "'__main__' in dir(modules)",
        "modules",
    )
    first, *rest = text.splitlines()
    assert first.startswith("<locked _thread.RLock object owner=")
    assert rest[:-1] == ["('/', '/', 'xml.dom')", "(True, True, False, False)", "True", "True"]
    assert "modules['os']" in rest[-1]


def test_modules_that_are_missing(ours: Debuggee) -> None:
    assert failure(ours, "modules.no_such_module").endswith(
        "\nAttributeError: there is no module 'no_such_module'\n"
    )
    assert failure(ours, "modules['no_such.module']").endswith(
        "\nModuleNotFoundError: No module named 'no_such'\n"
    )


def test_builtins_may_be_hidden_by_variables(server: Debuggee) -> None:
    hidden = "list = str = len = type = isinstance = repr = Exception = eval = compile = 1"
    hidden += "\nsuper = getattr = setattr = set = dict = sorted = object = globals = range = 2"
    assert cells(server, hidden, "print('printed')", "print = 5", "[list, print]", "modules") == (
        "printed\n[1, 5]\n"
        "<the modules of this process; use modules['os'] or modules.os to get a module>\n"
    )
    assert failure(server, hidden, "1/0").endswith("ZeroDivisionError: division by zero\n")


ODD_VALUES = {
    "repr raises": (
        "class R:\n    def __repr__(self): raise ValueError('no')\nR()",
        "<__main__.R object at 0x#> (its repr raised ValueError)",
    ),
    "repr is no str": (
        "class R:\n    def __repr__(self): return 5\n[R()]",
        "<list object at 0x#> (its repr raised TypeError)",
    ),
    "surrogates in repr": (
        "class R:\n    def __repr__(self): return 'a\\ud800\\udfff'\nR()",
        "a\\ud800\\udfff",
    ),
    "surrogates": ("'\\ud800'", "'\\ud800'"),
    "control characters": ("'\\x1b[31m\\x00'", "'\\x1b[31m\\x00'"),
    "recursion": ("l = []; l.append(l); l", "[<Recursion on list with id=#>]"),
    "too deep": (
        "l = []\nfor _ in range(100000): l = [l]\nl",
        "<list object at 0x#> (its repr raised RecursionError)",
    ),
}


@pytest.mark.parametrize(("code", "expected"), ODD_VALUES.values(), ids=ODD_VALUES)
def test_values_that_are_hard_to_show(server: Debuggee, code: str, expected: str) -> None:
    text = cells(server, code)
    assert re.sub("(0x|id=)[0-9a-f]+", r"\1#", text) == expected + "\n"


LARGE = {
    "str": ("'x' * 10**8", "'xxx", "... (100000000 in all)\n"),
    "bytes": ("bytes(10**8)", "b'\\x00", "... (100000000 in all)\n"),
    "list": ("list(range(10**6))", "[0,\n 1,\n", "\n 999]\n... (1000000 items)\n"),
    "dict": ("dict.fromkeys(range(10**6))", "{0: None,", "\n... (1000000 items)\n"),
    "set": ("set(range(10**6))", "{0,\n", "}\n... (1000000 items)\n"),
    "tuple": ("(1,) * 10**6", "(1,\n", ")\n... (1000000 items)\n"),
    "repr": (
        "class R:\n    def __repr__(self): return 'r' * 10**8\nR()",
        "rrr",
        "r... (100000000 characters)\n",
    ),
}


@pytest.mark.parametrize(("code", "start", "end"), LARGE.values(), ids=LARGE)
def test_large_values_are_cut(ours: Debuggee, code: str, start: str, end: str) -> None:
    text = cells(ours, code)
    assert text.startswith(start)
    assert text.endswith(end)
    assert len(text) < 5 << 20


def test_a_large_value_is_not_cut_in_the_program(ours: Debuggee) -> None:
    assert cells(ours, "list(range(10**6));", "len(_)") == "1000000\n"


# ---- Exceptions ----------------------------------------------------------------------------------


def test_the_first_exception_ends_the_client(server: Debuggee) -> None:
    text = failure(server, "1", "print('p')\n1/0", "2", printed="1\np\n")
    assert text.startswith(
        'Traceback (most recent call last):\n  File "<cell 1>", line 2, in <module>\n    1/0\n'
    )
    assert text.endswith("\nZeroDivisionError: division by zero\n")


def without_carets(text: str) -> str:
    """A traceback without the lines that Python 3.11 has below a part of a line."""
    return "".join(line for line in text.splitlines(True) if line.strip(" ^~\n"))


def test_a_traceback_shows_source_of_cells_and_no_frames_of_the_client(
    server: Debuggee,
) -> None:
    code = "def f(x):\n    # a\x0c comment\n    return 1 / x"
    text = failure(server, code, "y = 0", "class C:\n\tz = [f(y)]")
    text = text.replace("    class C:\n    \tz = [f(y)]\n", "    class C:\n")  # from 3.13 on
    assert without_carets(text.replace("<listcomp>", "C")) == (
        "Traceback (most recent call last):\n"
        '  File "<cell 2>", line 1, in <module>\n'
        "    class C:\n"
        '  File "<cell 2>", line 2, in C\n'
        "    z = [f(y)]\n"
        '  File "<cell 0>", line 3, in f\n'
        "    return 1 / x\n"
        "ZeroDivisionError: division by zero\n"
    )


def test_frames_of_the_client_inside_a_traceback_are_left_out(server: Debuggee) -> None:
    text = failure(server, "modules['no_such'] or 1")
    assert '"<string>"' not in text
    assert "importlib" in text
    text = failure(server, "import sys; sys.stdout.write(5)")
    assert without_carets(text) == (
        'Traceback (most recent call last):\n  File "<cell 0>", line 1, in <module>\n'
        "    import sys; sys.stdout.write(5)\n"
        "TypeError: write() argument must be str, not int\n"
    )


def test_carets_are_below_the_failing_expression(ours: Debuggee) -> None:
    lines = failure(ours, "len([1]) + (1 / 0)").splitlines()
    if len(lines) == 5:  # from Python 3.11 on
        assert lines[3].rstrip() == "                ~~^~~"
    assert lines[2] == "    len([1]) + (1 / 0)"


def test_bad_syntax_is_shown_with_its_caret(server: Debuggee) -> None:
    first, line, caret, last = failure(server, "x = 1\ny = )").splitlines()
    assert (first, line) == ('  File "<cell 0>", line 2', "    y = )")
    assert caret.rstrip() == "        ^"
    assert last.startswith("SyntaxError: ")


@pytest.mark.parametrize(
    "code", ["return 5", "def f(): await x", "def f():\nx", "'unclosed", "(", "\\"]
)
def test_a_cell_with_bad_syntax_is_not_run(ours: Debuggee, code: str) -> None:
    text = failure(ours, f"print('run')\n{code}")
    assert '"<cell 0>", line ' in text
    assert "Traceback" not in text


def test_the_cause_of_an_exception_is_shown(ours: Debuggee) -> None:
    text = failure(ours, "try:\n    1/0\nexcept Exception as e:\n    raise KeyError(5) from e")
    assert "\nThe above exception was the direct cause" in text
    assert text.endswith("\nKeyError: 5\n")


def test_exceptions_that_are_hard_to_show(ours: Debuggee) -> None:
    text = failure(ours, "class E(Exception):\n    def __str__(self): 1/0\nraise E")
    assert text.splitlines()[-1].startswith("E: <")
    assert failure(ours, "raise ValueError('\\ud800')").endswith("\nValueError: \\ud800\n")
    text = failure(ours, "raise ValueError('x' * 10**8 + 'end')")
    assert text.endswith("xend\n")
    assert "characters left out" in text
    assert len(text) < 5 << 20


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "exit(3)", "raise KeyboardInterrupt"])
def test_exceptions_that_would_end_a_program_end_the_cell(server: Debuggee, code: str) -> None:
    last = failure(server, code).splitlines()[-1]
    assert last in ("SystemExit: 3", "KeyboardInterrupt")
    assert cells(server, "1") == "1\n"


# ---- Scripts -------------------------------------------------------------------------------------


def test_a_script_prints_the_value_of_each_expression_statement(server: Debuggee) -> None:
    script = '''#!/usr/bin/env pystuck
# -*- coding: utf-8 -*-
"""What it does."""

import functools
def deco(f):
\t@functools.wraps(f)
\tdef call(*args):

\t\t# between
\t\treturn f(*args) + 1
\treturn call

@deco
def f(x):
    return x

f(1)
text = """a

  b"""
text
with open("/dev/null") as file:
    file.read()
    print("within")
for i in range(2):
    i
None
if __name__ == "__main__":
    print("main")
[1,
 2]; 3
4;
"gr\xfc\xdf"
'''
    expected = "'What it does.'\n2\n'a\\n\\n  b'\nwithin\nmain\n"
    assert cells(server, stdin=script) == expected + "[1, 2]\n3\n'gr\xfc\xdf'\n"


@pytest.mark.parametrize(
    "script", ["x = 5\r\nif x:\r\n\tx += 1\r\nx", "\ufeffx = 6\nx\n", "x = 6;\\\nx"]
)
def test_scripts_of_other_editors(ours: Debuggee, script: str) -> None:
    assert cells(ours, stdin=script) == "6\n"


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("5\n_ + 1\n", ["5", "6"]),
        ("5; _ + 1", ["5", "6"]),
        ("5\n\nif True:\n    x = _ * 2\nx", ["5", "10"]),
        ("1\n2;\n3\n_ + __ * 10 + ___ * 100", ["1", "3", "123"]),
        ("5\nNone\n_", ["5", "5"]),
        ("5\nx = 7\n[].clear()\n_", ["5", "5"]),
        ("5\ndef f():\n    return _\n6\nf()", ["5", "6", "6"]),
        ("1\n2\nOut[0], _0, len(In)", ["1", "2", "(2, 2, 1)"]),
        ("modules['os'].sep\n_ + 'x'", ["'/'", "'/x'"]),
    ],
)
def test_the_latest_values_have_names_in_a_script_too(
    server: Debuggee, script: str, printed: list[str]
) -> None:
    assert cells(server, stdin=script).splitlines() == printed


def test_a_script_may_use_these_names_for_itself(server: Debuggee) -> None:
    script = "def _(text):\n    return text.upper()\n_('a')\n5\n_('b')\n"
    assert cells(server, stdin=script) == "'A'\n5\n'B'\n"
    script = "for _ in range(3):\n    pass\n'shown'\n_\n"
    assert cells(server, stdin=script) == "'shown'\n2\n"


def test_a_script_stops_at_the_first_exception(server: Debuggee) -> None:
    text = failure(server, stdin="1\n2/0\n3\n", printed="1\n")
    assert '"<cell 0>", line 2, in <module>\n    2/0\n' in text


def test_a_script_may_be_long(ours: Debuggee) -> None:
    script = "".join(f"x{i} = {i}\n" for i in range(20000)) + "x19999\n"
    assert cells(ours, stdin=script) == "19999\n"


def test_a_script_with_a_nul_character_is_refused(ours: Debuggee) -> None:
    done = pystuck(*command_line(ours), stdin="print(1)\n\0print(2)\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pystuck: cannot read standard input: it contains a NUL character\n"


def test_code_that_is_not_utf_8_is_refused(ours: Debuggee) -> None:
    for arguments, stdin in (
        (command_line(ours), b"'\xe9'"),
        (command_line(ours, "'\udce9'"), b""),
    ):
        done = subprocess.run(
            [os.fsencode(word) for word in c_program("PYSTUCK_BIN", *arguments)],
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"not UTF-8" in done.stderr


def test_stdin_may_be_non_blocking(ours: Debuggee) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with subprocess.Popen(
        c_program("PYSTUCK_BIN", *command_line(ours)),
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        os.close(reader)

        def is_waiting() -> bool:
            return "poll" in Path(f"/proc/{client.pid}/wchan").read_text()

        os.write(writer, b"print('first')\n")
        wait_until(is_waiting, "the client to wait for more")
        os.write(writer, b"print('second')\n")
        os.close(writer)
        assert client.communicate(timeout=PATIENCE) == ("first\nsecond\n", "")
    assert client.returncode == 0


# ---- Scripts, -c or the prompt -------------------------------------------------------------------


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-", "</", "< /proc/self/mem"])
def test_a_stdin_with_nothing_to_read_is_not_a_script(ours: Debuggee, redirection: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh"]
        + c_program("PYSTUCK_BIN", *command_line(ours)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "<_MainThread(" in done.stdout


@pytest.mark.parametrize("stdin", ["", " ", "\n\n \t\r\n\x0c"])
def test_blanks_are_not_a_script(server: Debuggee, stdin: str) -> None:
    assert "<_MainThread(" in cells(server, stdin=stdin)


def test_stacks_are_not_shown_beside_cells_unless_asked_for(ours: Debuggee) -> None:
    assert cells(ours, "1") == "1\n"
    assert cells(ours, stdin="1") == "1\n"
    for arguments, stdin in ((["-c", "1"], ""), ([], "1")):
        done = pystuck("--stacks", *command_line(ours), *arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        assert "<_MainThread(" in done.stdout
        assert done.stdout.endswith("\n\n1\n")
    done = pystuck("--no-stacks", *command_line(ours, "1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


@pytest.mark.parametrize("option", ["--no-ipython", "--no-repl"])
def test_no_ipython_ignores_stdin(ours: Debuggee, option: str) -> None:
    done = pystuck(option, *command_line(ours), stdin="1/0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "<_MainThread(" in done.stdout
    assert cells(ours, "1", stdin="1/0") == "1\n"


def test_code_may_be_given_in_all_ways_of_getopt(ours: Debuggee) -> None:
    done = pystuck(*command_line(ours), "-c1", "--code", "2", "--code=3", stdin="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n2\n3\n", "")


# ---- Output and input ----------------------------------------------------------------------------


def test_output_arrives_while_the_cell_runs(server: Debuggee) -> None:
    with client_in_a_cell(server, "input(); print('end')") as client:
        out, err = client.communicate("\n", timeout=PATIENCE)
    assert (client.returncode, out, err) == (0, "end\n", "")


def test_an_unfinished_line_is_shown_at_the_end_or_when_flushed(server: Debuggee) -> None:
    code = "print('a', end='', flush=True); print('b', end=''); input('? ')\nprint('c', end='')"
    assert cells(server, code, "1", stdin="x\n") == "ab? c1\n"


def test_stderr_goes_to_stderr(server: Debuggee) -> None:
    done = pystuck(*command_line(server, "import sys; print('e', file=sys.stderr); print('o')"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "o\n", "e\n")


def test_a_lot_is_printed(server: Debuggee) -> None:
    text = cells(server, "for i in range(2000): print(i)\nprint('x' * 10**7)")
    assert text == "".join(f"{i}\n" for i in range(2000)) + "x" * 10**7 + "\n"


def test_odd_output(ours: Debuggee) -> None:
    code = "print('\\ud800', '\\x1b[1m', '\\0'); import sys; sys.stdout.writelines(['a', 'b\\n'])"
    assert cells(ours, code) == "\\ud800 \x1b[1m \0\nab\n"


OTHER_THREAD = """
import threading
def say(text):
    print(text)
    print('flushed', flush=True)
thread = threading.Thread(target=say, args=('of a thread',))
thread.start()
thread.join()
print('of the cell')
"""


def test_output_of_other_threads_does_not_reach_the_client(server: Debuggee) -> None:
    assert cells(server, OTHER_THREAD) == "of the cell\n"
    assert [server.read_line(), server.read_line()] == ["of a thread", "flushed"]


def test_threads_of_the_debuggee_print_to_its_own_stdout(start_debuggee: Start) -> None:
    code = (
        "import threading\n"
        "asked, done = threading.Event(), threading.Event()\n"
        "def work():\n"
        "    asked.wait()\n"
        "    print('theirs', sys.stdin.fileno(), sys.stdout.isatty(), flush=True)\n"
        "    done.set()\n"
        "threading.Thread(target=work, daemon=True).start()\n"
    )
    debuggee = start_debuggee("plain.py", arguments=(code,))
    text = cells(debuggee, "m = modules['__main__']; m.asked.set(); print(m.done.wait(10))")
    assert text == "True\n"
    assert debuggee.read_line() == "theirs 0 False"


def test_a_program_whose_stdout_is_none_may_print(stuck: Debuggee) -> None:
    code = (
        "import sys, threading\n"
        "def work(): print('nowhere', flush=True); print('nowhere'); done.append(1)\n"
        "done = []; thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "print('here'); done"
    )
    without = "import sys; sys.stdout = None"
    assert cells(stuck, without, code) == "here\n[1]\n"
    assert cells(stuck, "import sys; sys.stdout = sys.__stdout__") == ""


IS_AS_BEFORE = (
    "(lambda sys: (sys.stdin, sys.stdout, sys.stderr)"
    " == (sys.__stdin__, sys.__stdout__, sys.__stderr__))(__import__('sys'))"
)


@pytest.mark.parametrize(
    "code", ["1", "1/0", "(", "raise SystemExit", "import sys; sys.stdout.write(1)"]
)
def test_the_streams_are_restored(ours: Debuggee, connect: Connect, code: str) -> None:
    pystuck(*command_line(ours, code))
    assert connect(ours).eval(IS_AS_BEFORE)


def test_a_stream_that_the_cell_assigns_is_kept(ours: Debuggee, connect: Connect) -> None:
    assert cells(ours, "import sys, io; sys.stdout = io.StringIO()", "print(1)", "2") == "1\n2\n"
    client = connect(ours)
    assert client.eval("type(__import__('sys').stdout).__name__") == "StringIO"
    client.execute("import sys; sys.stdout = sys.__stdout__")


def test_the_streams_are_restored_after_the_client_was_killed(
    ours: Debuggee, connect: Connect
) -> None:
    other = connect(ours)
    with client_in_a_cell(ours, "while True: print('more')") as client:
        assert not other.eval(IS_AS_BEFORE)
        client.kill()
        wait_until(lambda: other.eval(IS_AS_BEFORE), "the cell to end")


def test_the_streams_are_restored_when_cells_overlap(ours: Debuggee, connect: Connect) -> None:
    with (
        client_in_a_cell(ours, "input(); print('first')") as first,
        client_in_a_cell(ours, "input(); print('second')") as second,
    ):
        assert first.communicate("\n", timeout=PATIENCE) == ("first\n", "")
        assert second.communicate("\n", timeout=PATIENCE) == ("second\n", "")
    assert connect(ours).eval(IS_AS_BEFORE)


def test_input_reads_the_clients_stdin(server: Debuggee) -> None:
    text = cells(
        server,
        "input('name? ')",
        "import sys; [sys.stdin.readline(), sys.stdin.readline(2), sys.stdin.read(4)]",
        "list(sys.stdin)",
        stdin="\xc4nne\nline\nabcd\ne\nf\ng",
    )
    assert text == "name? '\xc4nne'\n['line\\n', 'ab', 'cd\\ne']\n['\\n', 'f\\n', 'g']\n"


def test_input_at_the_end_of_stdin(server: Debuggee) -> None:
    assert failure(server, "input()").endswith("\nEOFError: EOF when reading a line\n")


def test_the_programs_own_stdin_is_not_read_by_a_cell(ours: Debuggee) -> None:
    assert failure(ours, "import sys; sys.stdin.buffer").endswith("has no buffer\n")
    assert failure(ours, "import sys; sys.stdout.buffer").endswith("has no buffer\n")
    assert "OSError" in failure(ours, "import sys; sys.stdin.fileno()")
    assert cells(ours, "import sys; sys.stdin.isatty(), sys.stdout.isatty()") == "(False, False)\n"


@pytest.mark.parametrize("stock", [None, RPYC5, RPYC6], ids=lambda stock: str(stock or "ours"))
def test_a_cell_waits_for_its_client_without_a_time_limit(
    lasting: Callable[..., Debuggee], stock: Stock | None
) -> None:
    # The time limit of requests to a client is 30 s, which is too long for a test.
    code = "import sys; print(sys.stdout._send.____conn__._config['sync_request_timeout'])"
    assert cells(lasting(stock), code) == "None\n"


# ---- On a terminal -------------------------------------------------------------------------------


def on_a_terminal(*arguments: str, columns: int = 80) -> str:
    """The output of the client on a terminal."""
    import pexpect

    argv = c_program("PYSTUCK_BIN", *arguments)
    client = pexpect.spawn(
        argv[0], argv[1:], env=clean_environment(), timeout=PATIENCE, dimensions=(24, columns)
    )
    text = client.read().decode()
    client.close()
    assert client.exitstatus == 0
    return text.replace("\r\n", "\n")


def test_control_characters_do_not_reach_a_terminal(ours: Debuggee) -> None:
    code = "import sys\nprint('a\\x1b[31m\\x07\\x9b\\tb\\xfc'); print('\\x7f', file=sys.stderr)"
    assert on_a_terminal(*command_line(ours, code)) == "a\\x1b[31m\\x07\\x9b\tb\xfc\n\\x7f\n"


def test_characters_that_change_the_text_direction_do_not_reach_a_terminal(ours: Debuggee) -> None:
    code = "print('user\\u202ecod.exe \\u2066x\\u2069 \\u200f\\u061c \\u2028 \\u05d0\\U0001f600')"
    expected = "user\\u202ecod.exe \\u2066x\\u2069 \\u200f\\u061c \\u2028 \u05d0\U0001f600\n"
    assert on_a_terminal(*command_line(ours, code)) == expected


@pytest.mark.parametrize("columns", [20, 300])
def test_values_fit_the_terminal(ours: Debuggee, columns: int) -> None:
    expected = pprint.pformat(list(range(50)), width=columns) + "\n"
    assert on_a_terminal(*command_line(ours, "list(range(50))"), columns=columns) == expected


# ---- Interruption --------------------------------------------------------------------------------

INTERRUPTIBLE = {
    "computing": "while True: pass",
    "sleeping shortly": "import time\nwhile True: time.sleep(0.01)",
    "printing": "while True: print('x', file=sys.stderr)",
    "reading": "input()",
}


@pytest.mark.parametrize("code", INTERRUPTIBLE.values(), ids=INTERRUPTIBLE)
def test_ctrl_c_interrupts_the_cell_in_the_program(server: Debuggee, code: str) -> None:
    with client_in_a_cell(server, code) as client:
        assert client.stderr is not None
        if "print" in code:
            client.stderr.readline()
        client.send_signal(signal.SIGINT)
        text = client.stderr.read()
        assert client.wait(PATIENCE) == 130
    last = f'File "<cell 0>", line {1 + len(code.splitlines())}, in <module>\n'
    assert last in text
    assert text.endswith("\nKeyboardInterrupt\n")
    assert cells(server, "1") == "1\n"


def test_a_cell_may_catch_the_interruption(server: Debuggee) -> None:
    code = (
        "def spin():\n    print('within')\n    while True: pass\n"
        "try:\n    spin()\nexcept KeyboardInterrupt:\n    print('caught')"
    )
    with client_in_a_cell(server, code) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "within\n"
        client.send_signal(signal.SIGINT)
        assert client.communicate(timeout=PATIENCE) == ("caught\n", "")
    assert client.returncode == 0


def test_the_second_ctrl_c_ends_the_client(stuck: Debuggee, connect: Connect) -> None:
    other = connect(stuck)
    other.execute("import __main__ as main, threading")
    other.execute("main.interrupted, main.ending = False, threading.Event()")
    code = (
        "main = modules['__main__']\n"
        "while not main.ending.is_set():\n"
        "    try:\n        main.ending.wait(0.01)\n"
        "    except KeyboardInterrupt:\n        main.interrupted = True\n"
    )
    with client_in_a_cell(stuck, code) as client:
        client.send_signal(signal.SIGINT)
        wait_until(lambda: other.eval("main.interrupted"), "the first one to arrive")
        assert client.poll() is None
        client.send_signal(signal.SIGINT)
        assert client.wait(PATIENCE) == -signal.SIGINT
        other.execute("main.ending.set()")
        wait_until(lambda: other.eval(IS_AS_BEFORE), "the cell to end")


# ---- The connection ------------------------------------------------------------------------------


@pytest.mark.parametrize("stock", SERVERS, ids=lambda stock: str(stock or "ours"))
def test_a_debuggee_that_dies_in_a_cell(stock: Stock | None) -> None:
    env = stock.environment() if stock else debuggee_environment()
    argv = (
        command("stock_server.py", "SlaveService") if stock else command("stuck.py", '{"port":0}')
    )
    debuggee = Debuggee(argv, env)
    try:
        done = pystuck(*command_line(debuggee, "print('x'); import os; os._exit(3)", "2"))
        assert (done.returncode, done.stdout) == (1, "x\n")
        assert done.stderr.startswith("pystuck: the connection to the debuggee is lost: ")
        assert done.stderr.count("\n") == 1
    finally:
        debuggee.kill()


@pytest.mark.parametrize("whose", ["ours", "stock"])
def test_a_service_without_execute(whose: str) -> None:
    env = debuggee_environment()
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], os.environ["PYSTUCK_RPYC6"]])
    debuggee = Debuggee(command("service_server.py", whose, "{}"), env)
    try:
        done = pystuck(*command_line(debuggee, "1", "1 + 1"))
        assert (done.returncode, done.stdout) == (1, "1\n")
        assert "SyntaxError: cannot run code in the program: " in done.stderr
    finally:
        debuggee.kill()


def test_a_cell_costs_one_round_trip_and_one_for_each_line(server: Debuggee) -> None:
    def count(*codes: str) -> Counter[str]:
        with Forwarder(server) as proxy:
            pystuck("--host", proxy.host, "--port", proxy.port, *command_line(server, *codes)[4:])
        return proxy.frames

    one = count("x = 1")
    assert count("x = 1", "[x] * 1000") - one == Counter(to=1, **{"from": 1})
    assert count("x = 1", "x + 0", "x + 0", "1/0") - one == Counter(to=3, **{"from": 3})
    printed = count("x = 1", "print(1, 2, 3)\nprint(4)") - one
    assert printed == Counter(to=3, **{"from": 3})


def test_cells_run_where_nothing_can_be_imported(obedient: Debuggee) -> None:
    assert tell(obedient, "import _imp; _imp.acquire_lock()") is None
    text = cells(
        obedient,
        "x = {'a': list(range(30))}",
        "print('said')",
        "modules.sys.byteorder",
        "x",
        "for i in range(2):\n    print(i)",
    )
    assert text.startswith("said\n'little'\n{'a': [0,\n")
    assert text.endswith("\n0\n1\n")
    assert failure(obedient, "def f(): 1 / 0", "f()").endswith(
        "ZeroDivisionError: division by zero\n"
    )
    assert tell(obedient, "_imp.release_lock()") is None


# ---- What cells leave in the program -------------------------------------------------------------

LEFT = """
import gc, linecache, sys, threading
import __main__ as main
main.ref = lambda: None
def left():
    gc.collect()
    return repr((
        [name for name in linecache.cache if name.startswith("<cell")],
        sorted(name for name in sys.modules if "pystuck" in name),
        threading.active_count(),
        [name for name in ("In", "Out", "modules", "_", "_pystuck_cells") if name in globals()],
        sum(type(o) is type(left) and o.__name__ == "_pystuck_cell" for o in gc.get_objects()),
        main.ref() is None,
    ))
"""


def test_cells_leave_nothing_in_the_program(ours: Debuggee, connect: Connect) -> None:
    client = connect(ours)
    client.execute(LEFT)
    client.eval("left()")
    wait_until(lambda: client.eval("left()").endswith(", 0, True)"), "earlier cells to be gone")
    before, holdings = client.eval("left()"), ours.holdings()
    assert before.startswith("([], ")  # linecache has no source of earlier cells
    cells(
        ours,
        "class Thing: pass",
        "import weakref; thing = Thing(); modules['__main__'].ref = weakref.ref(thing)",
        "thing",
    )
    assert client.eval("isinstance(main.ref, __import__('weakref').ref)")
    failure(ours, "def f(): 1/0", "f()")
    failure(ours, "(")
    wait_until(lambda: client.eval("left()") == before, "everything to be gone")
    ours.wait_until_back_to(holdings)


def test_linecache_is_restored(ours: Debuggee, connect: Connect) -> None:
    client = connect(ours)
    client.execute("import linecache; linecache.cache['<cell 0>'] = (3, None, ['abc'], 'x')")
    assert "1/0" in failure(ours, "1/0")
    assert client.eval("linecache.cache.pop('<cell 0>')[2] == ['abc']")


def test_clients_do_not_see_each_others_names(server: Debuggee) -> None:
    assert cells(server, "mine = 1") == ""
    assert "\nNameError: name 'mine' is not defined" in failure(server, "mine")


def test_an_import_from_future_holds_in_later_cells(server: Debuggee) -> None:
    later = "def f(x: not_defined): pass\nf.__annotations__"
    assert cells(server, "from __future__ import annotations", later) == "{'x': 'not_defined'}\n"


def test_dataclasses_can_be_made(ours: Debuggee) -> None:
    code = "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: 'ClassVar' = 1\nD(2)"
    assert cells(ours, code) == "D(x=2)\n"
