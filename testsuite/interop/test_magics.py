# SPDX-License-Identifier: BSD-3-Clause
"""`x?` and the magics of the prompt, on a terminal."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import (
    SERVERS,
    Debuggee,
    command,
    stock_environment,
)
from prompts import Prompt

#: For the fixture `lasting`: these tests keep frames of the program, so leaks cannot be checked.
LOOKS_AT_FRAMES = True


MAGICS = [
    "down", "edit", "eval", "frame", "help", "history", "locals", "locks", "reconnect", "run",
    "save", "show threads", "tasks", "thread", "threads", "time", "up", "who", "why",
]  # fmt: skip

#: The editor of these tests. The last argument is the file; it copies the file and its mode.
EDITOR = """#!/bin/sh
for file; do :; done
stat -c %a "$file" >"$0.mode"
cp "$file" "$0.given"
[ ! -e "$0.text" ] || cat "$0.text" >"$file"
[ ! -e "$0.status" ] || exit "$(cat "$0.status")"
echo "$file" >"$0.file"
"""


#: Messages about arguments.
UNCLOSED = "has an unclosed quote, or a backslash at the end"
QUOTES = "(put quotes around a name that contains spaces)"
SAVE = "%save [-f] FILE [N|N-M]..."


class Magical(Prompt):
    """A prompt whose user also types magics. Its lines are wide enough for long file names."""

    def __init__(self, where: list[object], home: Path) -> None:
        super().__init__(where, home, columns=400)

    def ask(self, line: str) -> str:
        """Types a line that is not a cell. Returns its output."""
        self.type(line + "\r")
        self.expect(re.escape("\n"))
        self.number -= 1
        return self.next()


@pytest.fixture
def prompt(lasting: Callable[..., Debuggee], tmp_path: Path) -> Iterator[Magical]:
    """A prompt on a stuck program with pystuck."""
    debuggee = lasting()
    opened = Magical([debuggee.host, debuggee.port], tmp_path)
    yield opened
    opened.child.close(force=True)


@pytest.fixture(params=SERVERS, ids=lambda stock: str(stock or "ours"))
def anywhere(
    request: pytest.FixtureRequest, lasting: Callable[..., Debuggee], tmp_path: Path
) -> Iterator[Magical]:
    """A prompt on a stuck program with a server of each kind."""
    debuggee = lasting(request.param)
    opened = Magical([debuggee.host, debuggee.port], tmp_path)
    yield opened
    opened.child.close(force=True)


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the editor. It writes the text of the file with this name and .text."""
    path = tmp_path / "the editor"
    path.write_text(EDITOR)
    path.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"'{path}' --wait")
    return path


def beside(editor: Path, ending: str) -> Path:
    return editor.with_name(editor.name + ending)


# ---- Everywhere ----------------------------------------------------------------------------------


def test_questions_and_magics_work_on_every_server(anywhere: Magical, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def f():\n    '''Of the file.'''\n    return 1 / 0\nprint('runs')\nf()\n")
    text = anywhere.ask("modules['os'].path.join?")
    assert text.startswith("Signature:   modules['os'].path.join(a, *p)\nDocstring:\n")
    threads = anywhere.ask("%thread")
    assert threads.startswith("    0  <_MainThread(MainThread, started ")
    number = re.search(r"(\d+)  <Thread\(Thread-1", threads)
    assert number
    assert "   0  File " in anywhere.ask(f"%thread {number[1]}")
    text = anywhere.cell("%frame 0")
    assert "        sys.stdin.readline()\n" in text
    assert "\nOut[0]: <frame at 0x" in text.replace("Out[0]:\n", "Out[0]: ")
    assert anywhere.cell("_.f_code.co_name") == "Out[1]: 'work'\n\n"
    assert anywhere.cell("%eval [lock.acquire for _ in (1,)]").startswith("Out[2]:")
    assert "CPU times: user " in anywhere.cell("%time [5] * 2")
    text = anywhere.cell(f"%run {script}")
    assert text.startswith("runs\nTraceback (most recent call last):\n")
    assert f'  File "{script}", line 3, in f\n    return 1 / 0\n' in text
    assert "    return 1 / 0\n" in anywhere.ask("f??")
    assert anywhere.ask("%who") == "f\n\n"
    assert anywhere.cell("In[3]") == "Out[5]: '[5] * 2'\n\n"
    assert f"'%run {script}'\n" in anywhere.cell("In[4]")


def test_questions_and_magics_work_on_the_original(tmp_path: Path) -> None:
    env = stock_environment("PYSTUCK_ORIGINAL", "PYSTUCK_RPYC5")
    original = Debuggee(command("stock_server.py", "original"), env)
    try:
        each = Magical([original.host, original.port], tmp_path)
        assert each.ask("%thread").startswith("    0  <_MainThread(MainThread, started ")
        assert "with lock:" in each.ask("%thread 0")
        assert each.ask("len?").startswith("Signature: ")
        assert each.leave() == 0
    finally:
        original.kill()


# ---- x? ------------------------------------------------------------------------------------------


def test_a_question_mark_describes_an_object(prompt: Magical) -> None:
    prompt.cell("def f(a):", "    'Does it.'", "")
    text = prompt.ask("f?")
    assert text.startswith("Signature:   f(a)\nDocstring:   Does it.\nFile:        <cell 0>\n")
    assert "Source" not in text
    for line in ("?f", " f ?", "? f"):
        assert prompt.ask(line) == text
    for line in ("f??", "??f"):
        assert "Source:\ndef f(a):\n    'Does it.'\n" in prompt.ask(line)
    assert "Type:        str\n" in prompt.ask("'#' + \"?'\" ?")


def test_an_undefined_name_is_not_found(prompt: Magical) -> None:
    assert prompt.ask("nothing?") == "Object `nothing` not found.\n"


@pytest.mark.parametrize("line", ["'x?'", '"a\\"b?"', "1 # x?", "'''a?'''"])
def test_a_question_mark_in_a_string_or_a_comment_is_python(prompt: Magical, line: str) -> None:
    assert prompt.cell(line) == f"Out[0]: {eval(line)!r}\n\n"


def test_a_question_about_a_magic_is_answered(prompt: Magical) -> None:
    assert (
        prompt.ask("%who?")
        == "  %who             list the names that were assigned in this namespace\n"
    )
    assert prompt.ask("%no?") == "unknown command %no: type %help for a list\n"
    assert "  %help " in prompt.ask("?")


def test_code_run_by_a_question_can_be_interrupted(prompt: Magical) -> None:
    prompt.cell("def f():", "    print('begun')", "    while True: pass", "")
    prompt.type("f()?\r")
    prompt.expect("begun\r\n")
    prompt.type("\x03")
    prompt.number -= 1
    assert "KeyboardInterrupt\n" in prompt.next()


# ---- Threads and frames --------------------------------------------------------------------------


def test_up_and_down_select_frames(prompt: Magical) -> None:
    threads = prompt.ask("%thread")
    number = re.search(r"(\d+)  <Thread\(Thread-1", threads)
    assert number
    prompt.ask(f"%thread {number[1]}")
    assert "> 1  File " in prompt.cell("%up")
    assert "> 0  File " in prompt.cell("%down")
    assert prompt.ask("%down") == "cannot go down: this is the innermost frame\n"
    while not (text := prompt.cell("%up")).endswith("code _bootstrap>\n\n"):
        assert "Out[" in text
    assert prompt.ask("%up") == "cannot go up: this is the outermost frame\n"
    assert "self = <Thread(Thread-1" in prompt.ask("%locals")
    assert "Thread-1" in prompt.cell("%eval self.name")
    text = prompt.cell("%eval 1 / 0")
    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert text.count("  File ") == 1
    assert f" *{int(number[1]):>3}  <Thread(Thread-1" in prompt.ask("%thread")


def test_a_thread_can_be_selected_by_its_ident(prompt: Magical) -> None:
    ident = re.search(r"started (\d+)", prompt.ask("%thread"))
    assert ident
    assert prompt.ask(f"%thread {ident[1]}").startswith("<_MainThread(MainThread, started ")


NO_THREAD = "no thread is selected: %thread lists the threads, %thread N selects a thread"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%frame 0", NO_THREAD),
        ("%up", NO_THREAD),
        ("%down", NO_THREAD),
        ("%locals", NO_THREAD),
        ("%eval 1", NO_THREAD),
        ("%thread x", "invalid thread 'x': expected a number or ident that %thread lists"),
        ("%thread 99", "there is no thread 99: type %thread for a list"),
        ("%time", "%time needs code: %time CODE"),
        ("%edit x", "%edit takes the number of a cell: %edit [N]"),
        ("%edit 0 1", "%edit takes the number of a cell: %edit [N]"),
        ("%edit 99999999999", "there is no cell 99999999999"),
        ("%run", "%run needs a file: %run FILE [ARG]..."),
        ("%run 'a b", f"%run {UNCLOSED}: %run FILE [ARG]..."),
        ("%run a\\", f"%run {UNCLOSED}: %run FILE [ARG]..."),
        ("%run /no/such a", f"cannot run /no/such: No such file or directory {QUOTES}"),
        ("%run '/no/such a'", "cannot run /no/such a: No such file or directory"),
        ("%run /no/such", "cannot run /no/such: No such file or directory"),
        ("%run /", "cannot run /: Is a directory"),
        ("%save", f"%save needs a file: {SAVE}"),
        ("%save -f", f"%save needs a file: {SAVE}"),
        ("%save 0-1", f"%save needs a file: {SAVE}"),
        ("%save ''", f"%save needs a file: {SAVE}"),
        ("%save 'x", f"%save {UNCLOSED}: {SAVE}"),
        ("%show", "unknown command %show: type %help for a list"),
        ("%show threads x", "%show threads takes no argument"),
        ("%threads 1", "%threads takes no argument"),
        ("%thread 1 2", "invalid thread '1 2': expected a number or ident that %thread lists"),
        ("%save /tmp/x", "nothing to save: no cell has been run yet"),
        ("%history 5", "%history takes no argument except -n: %history [-n]"),
        ("%history -n 5", "%history takes no argument except -n: %history [-n]"),
        *[(f"%{name} x", f"%{name} takes no argument") for name in ("up", "down", "locals", "who")],
    ],
)
def test_an_invalid_magic_prints_one_line(prompt: Magical, line: str, message: str) -> None:
    assert prompt.ask(line) == message + "\n"


def test_an_invalid_magic_for_a_selected_thread_prints_one_line(prompt: Magical) -> None:
    prompt.ask("%thread 0")
    assert prompt.ask("%frame 99") == "there is no frame 99: the last frame is 0\n"
    assert prompt.ask("%frame x") == "invalid frame 'x': expected a number from 0 to 0\n"
    assert prompt.ask("%eval") == "%eval needs an expression: %eval EXPR\n"


# ---- Cells ---------------------------------------------------------------------------------------


def test_time(prompt: Magical) -> None:
    time = r"\d[\d.e+]* (ns|\xb5s|ms|s)"
    assert re.fullmatch(
        rf"CPU times: user {time}, sys: {time}, total: {time}\nWall time: {time}\nOut\[0\]: 10\n\n",
        prompt.cell("%time sum(range(5))"),
    )
    assert prompt.cell("%time 1 / 0").startswith('Traceback (most recent call last):\n  File "<c')


@pytest.mark.parametrize("magic", ["%time", "%eval", "%run", "%edit"])
def test_a_magic_can_be_interrupted(editor: Path, prompt: Magical, magic: str) -> None:
    loop = "[print('begun'), [0 for number in iter(int, 1) if number]]"
    script = beside(editor, ".text")
    script.write_text(loop)
    prompt.ask("%thread 0")
    prompt.type({"%run": f"%run {script}", "%edit": "%edit"}.get(magic, f"{magic} {loop}") + "\r")
    prompt.expect("begun\r\n")
    prompt.type("\x03")
    text = prompt.next()
    assert text.startswith("Traceback (most recent call last):\n  File ", text.index("Traceback"))
    assert text.endswith("\nKeyboardInterrupt\n\n")
    assert "inspection" not in text


def test_run_runs_a_local_file_in_the_program(prompt: Magical, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("x = 6\n'not shown'\n")
    assert prompt.cell("%run ~/script.py") == "\n"
    assert prompt.cell("x * 7") == "Out[1]: 42\n\n"
    assert prompt.cell(f"In[0] == '%run {tmp_path}/script.py'") == "Out[2]: True\n\n"


def test_a_binary_file_is_not_run(prompt: Magical, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_bytes(b"x = '\xff'\n")
    assert prompt.ask(f"%run {path}") == "cannot run this cell: a str that is not UTF-8\n"
    path.write_bytes(b"x = '\0'\n")
    assert prompt.ask(f"%run {path}") == f"cannot run {path}: the file contains a NUL character\n"
    assert prompt.cell("1") == "Out[0]: 1\n\n"


def test_a_cell_can_be_edited(editor: Path, prompt: Magical) -> None:
    prompt.cell("x = 5")
    prompt.cell("x")
    beside(editor, ".text").write_text("if x:\n\n    y = 7\n\ny + 1\n\n")
    assert prompt.cell("%edit") == "Out[2]: 8\n\n"
    assert beside(editor, ".given").read_text() == "x\n"
    assert beside(editor, ".mode").read_text() == "600\n"
    assert not Path(beside(editor, ".file").read_text().strip()).exists()
    assert prompt.cell("In[2]") == "Out[3]: 'if x:\\n\\n    y = 7\\n\\ny + 1'\n\n"
    prompt.cell("%edit 0")
    assert beside(editor, ".given").read_text() == "x = 5\n"
    assert prompt.ask("%edit 99") == "there is no cell 99\n"
    beside(editor, ".text").write_text("1 / 0\n")
    assert prompt.cell("%edit").endswith("ZeroDivisionError: division by zero\n\n")


def test_edit_runs_nothing_unless_the_file_was_saved(editor: Path, prompt: Magical) -> None:
    assert prompt.ask("%edit") == "the editor saved nothing: nothing is run\n"
    assert beside(editor, ".given").read_text() == ""
    beside(editor, ".text").write_text(" \n\n")
    assert prompt.ask("%edit") == "nothing to run: the saved file is empty\n"
    beside(editor, ".text").write_text("1\n")
    beside(editor, ".status").write_text("1")
    assert prompt.ask("%edit") == "the editor failed: nothing is run\n"
    assert prompt.cell("2") == "Out[0]: 2\n\n"


def test_edit_uses_visual_or_editor(
    lasting: Callable[..., Debuggee],
    tmp_path: Path,
    editor: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDITOR", os.environ["VISUAL"])
    monkeypatch.delenv("VISUAL")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    debuggee = lasting()
    each = Magical([debuggee.host, debuggee.port], tmp_path)
    beside(editor, ".text").write_text("1\n")
    assert each.cell("%edit") == "Out[0]: 1\n\n"
    assert Path(beside(editor, ".file").read_text()).parent == tmp_path
    assert each.leave() == 0
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    each = Magical([debuggee.host, debuggee.port], tmp_path)
    assert each.ask("%edit") == "cannot create a file for the editor: No such file or directory\n"
    assert each.leave() == 0


def test_save_writes_all_cells(prompt: Magical, tmp_path: Path) -> None:
    path = tmp_path / "saved.py"
    prompt.cell("x = 1")
    prompt.cell("for i in range(2):", "    x += i", "")
    prompt.ask("%who")
    prompt.cell("%time x")
    prompt.cell(f"%run {os.devnull}")
    script = f"x = 1\nfor i in range(2):\n    x += i\nx\n# %run {os.devnull}\n"
    assert prompt.ask("%save ~/saved.py") == "3 cells written to ~/saved.py\n"
    assert path.read_text() == script
    path.write_text("something")
    assert prompt.ask(f"%save {path}") == (
        f"{path} exists already: type %save -f {path} to overwrite it\n"
    ).replace("\n", "\n")
    assert path.read_text() == "something"
    assert prompt.ask(f"%save -f {path}") == f"3 cells written to {path}\n"
    assert path.read_text() == script
    assert stat.S_ISREG(path.stat().st_mode)
    assert prompt.ask("%save /no/such/file") == (
        "cannot write /no/such/file: No such file or directory\n"
    )


def test_save_writes_some_cells(prompt: Magical, tmp_path: Path) -> None:
    for number in range(5):
        prompt.cell(f"x = {number}")
    path = tmp_path / "f.py"
    assert prompt.ask("%save ~/f.py 0-1") == "2 cells written to ~/f.py\n"
    assert path.read_text() == "x = 0\nx = 1\n"
    assert prompt.ask("%save -f ~/f.py 3  1-2 4") == "4 cells written to ~/f.py\n"
    assert path.read_text() == "x = 3\nx = 1\nx = 2\nx = 4\n"
    assert prompt.ask("%save ~/f.py 0") == (
        "~/f.py exists already: type %save -f ~/f.py to overwrite it\n"
    )
    assert prompt.ask("%save -f ~/f.py 3-5") == "there is no cell 5\n"
    for wrong in ("1-", "-1", "1-0", "x", "1,2", "99999999999999999999"):
        said = prompt.ask(f"%save -f ~/f.py {wrong}").replace("\n", "")
        assert said.startswith(f"invalid cell number '{wrong}': expected N or N-M")
    assert path.read_text() == "x = 3\nx = 1\nx = 2\nx = 4\n"
    assert sorted(os.listdir(tmp_path)) == ["f.py", "state"]


@pytest.mark.parametrize("typed", ["'a b.py'", '"a b.py"', "a\\ b.py", "a' b'.py"])
def test_the_name_of_a_file_may_contain_blanks(prompt: Magical, tmp_path: Path, typed: str) -> None:
    prompt.cell("x = 1")
    assert prompt.ask(f"%save ~/{typed} 0") == "1 cell written to ~/a b.py\n"
    assert (tmp_path / "a b.py").read_text() == "x = 1\n"
    assert prompt.ask(f"%save ~/{typed} 0") == (
        "~/a b.py exists already: type %save -f ~/a\\ b.py to overwrite it\n"
    )
    for number, run in enumerate((typed, "a b.py")):
        prompt.cell("x = 2")
        assert prompt.cell(f"%run ~/{run}") == "\n"
        assert prompt.cell("x") == f"Out[{3 * number + 3}]: 1\n\n"


def test_a_file_is_run_with_arguments(anywhere: Magical, tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("import sys; argv = sys.argv; names = __name__, __file__\nsys.argv[3:]\n")
    before = anywhere.cell("import sys; str(sys.argv)").removeprefix("Out[0]")
    assert anywhere.cell(f"%run {path} a 'b c' \"it's\" \\\\n") == "\n"
    assert anywhere.cell("argv[1:]") == "Out[2]: ['a', 'b c', \"it's\", '\\\\n']\n\n"
    assert anywhere.cell(f"argv[0] == {str(path)!r}") == "Out[3]: True\n\n"
    assert anywhere.cell(f"names == ('__main__', {str(path)!r})") == "Out[4]: True\n\n"
    assert anywhere.cell("'__file__' in globals()") == "Out[5]: False\n\n"
    assert anywhere.cell("str(sys.argv)").removeprefix("Out[6]") == before
    path.write_text("import sys; sys.argv = ['other']; 1 / 0\n")
    assert "ZeroDivisionError" in anywhere.cell(f"%run {path} a")
    assert anywhere.cell("str(sys.argv)").removeprefix("Out[8]") == before
    path.write_text("x = sys.argv[1:]\n")
    anywhere.cell(f"%run {path}")
    assert anywhere.cell("x") == "Out[10]: []\n\n"


def test_run_and_save_do_not_wait_for_a_fifo(prompt: Magical, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert prompt.cell("%run ~/fifo") == "\n"
    prompt.cell("x = 1")
    assert "exists already" in prompt.ask("%save ~/fifo")
    assert "cannot write ~/fifo: " in prompt.ask("%save -f ~/fifo")


def test_a_magic_with_a_blank_in_its_name_may_have_several(prompt: Magical) -> None:
    assert "with lock:" in prompt.ask("%show   threads")


def test_the_history_has_the_numbers_of_the_cells(prompt: Magical) -> None:
    prompt.cell("x = 1")
    prompt.cell("if x:", "    pass", "")
    prompt.ask("%who")
    prompt.cell("%time x")
    assert prompt.ask("%history") == "x = 1\nif x:\n    pass\n%who\n%time x\n"
    assert prompt.ask("%history -n") == (
        "   0: x = 1\n   1: if x:\n          pass\n      %who\n   2: %time x\n      %history\n"
    )


def test_who(prompt: Magical) -> None:
    assert prompt.ask("%who") == "Interactive namespace is empty.\n\n"
    prompt.cell("b = a = 1")
    assert prompt.ask("%who") == "a  b\n\n"


def test_every_magic_is_explained(prompt: Magical) -> None:
    text = prompt.ask("%help")
    assert re.findall(r"^  %((?:show )?\w+) ", text, re.MULTILINE) == MAGICS
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_man_page_explains_the_same_magics_and_arguments(prompt: Magical) -> None:
    page = (Path(__file__).parents[2] / "doc" / "pystuck.1").read_text()
    told = set()
    for line in re.findall(r"^\.It Ic (%.*)", page, re.MULTILINE):
        line = line.replace("Oo Fl f Oc", "[-f]").replace("Fl ", "-").replace("Ar ", "")
        line = re.sub(r"Op (.*?)( \.\.\.)?$", r"[\1]\2", line).replace(" Ns ", "")
        told.update(line.replace(" | ", "|").replace(" ...", "...").split(" , "))
    shown = re.findall(r"^  (%.*?)(?:  |$)", prompt.ask("%help"), re.MULTILINE)
    assert {each.lower() for each in told} == {each.lower() for each in shown}


# ---- A lost connection ---------------------------------------------------------------------------


def test_magics_report_that_the_connection_is_lost(
    start_debuggee: Callable[..., Debuggee], tmp_path: Path, editor: Path
) -> None:
    debuggee = start_debuggee()
    each = Magical([debuggee.host, debuggee.port], tmp_path)
    each.cell("x = 1")
    os.kill(debuggee.pid, signal.SIGKILL)
    debuggee.ended = True
    each.expect("lost the connection \\(type %reconnect to connect again\\): ")
    each.expect("gone> ")
    lines = ["x?", "%thread", "%frame 0", "%up", "%down", "%locals", "%eval 1", "%time 1", "%who"]
    for line in [*lines, "%edit", f"%run {os.devnull}", "%threads", "%why", "%locks"]:
        each.type(line + "\r")
        each.expect(re.escape("\n"))
        assert "not connected" in each.expect("gone> "), line
    each.type("%history\r")
    each.expect("x = 1\r\n")
    each.type("%save ~/saved.py\r")
    each.expect("1 cell written to ~/saved.py\r\n")
    assert each.leave() == 0
