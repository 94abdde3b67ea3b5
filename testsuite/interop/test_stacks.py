# SPDX-License-Identifier: BSD-3-Clause
"""The stacks as text and plain text: names, titles, recursion, and settings of the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from harness import (
    RPYC5,
    RPYC6,
    Debuggee,
    command,
    debuggee_environment,
    pystuck,
    run_python,
    wait_until,
)

Start = Callable[..., Debuggee]

#: Starts threads that wait until `ending` is set. Each has an unusual name or stack.
ODD = r"""
import _thread, threading
started, ending = [], threading.Event()
def wait():
    started.append(1)
    ending.wait()
def recurse(n):
    if n: recurse(n - 1)
    else: wait()
def start(target, **how): threading.Thread(target=target, daemon=True, **how).start()
start(wait, name='forged\n  File "fake.py", line 1, in fake')
start(wait, name='controls\r\x1b[2J\x85\u2028')
exec(compile("def odd_file():\n    wait()\n", 'no\n  File "fake.py"', "exec"))
start(odd_file)
start(recurse, args=(50,), name="deep")
_thread.start_new_thread(wait, ())
while len(started) < 5:
    threading.Event().wait(0.001)
sys.tracebacklimit = 0
"""


@pytest.fixture
def odd(start_debuggee: Start) -> Debuggee:
    return start_debuggee("plain.py", arguments=(ODD, "ending.set()"))


@pytest.fixture(params=[RPYC5, RPYC6], ids=str)
def stock(request: pytest.FixtureRequest) -> Iterator[Debuggee]:
    """A stock classic server, in a program that has set sys.tracebacklimit."""
    debuggee = Debuggee(command("stock_server.py", "SlaveService"), request.param.environment())
    done = pystuck("-c", "modules.sys.tracebacklimit = 0", debuggee.host, debuggee.port)
    assert done.returncode == 0
    yield debuggee
    debuggee.kill()


def shown(debuggee: Debuggee, *options: str) -> str:
    done = pystuck("--no-repl", *options, debuggee.host, debuggee.port)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("options", [[], ["--no-exec"]], ids=str)
def test_no_name_makes_a_line_of_its_own(odd: Debuggee, options: list[str]) -> None:
    text = shown(odd, *options)
    assert not [line for line in text.splitlines() if line.startswith('  File "fake.py"')]
    assert r'forged\n  File "fake.py", line 1, in fake' in text
    assert r"controls\x0d\x1b[2J\x85\u2028" in text
    assert r'  File "no\n  File "fake.py"", line 2, in odd_file' in text


def test_plain_text_has_names_as_they_are(odd: Debuggee) -> None:
    text = shown(odd, "--format", "plain")
    assert 'forged\n  File "fake.py", line 1, in fake' in text
    assert "\x1b[2J\x85\u2028" in text


@pytest.mark.parametrize("options", [[], ["--no-exec"], ["--format", "plain"]], ids=str)
def test_a_call_that_recurs_is_counted(odd: Debuggee, options: list[str]) -> None:
    (deep,) = (each for each in shown(odd, *options).split("\n\n") if "(deep," in each)
    assert deep.count(", in recurse\n") == 4  # three, and the last one, which is at another line
    assert "  [Previous line repeated 47 more times]\n" in deep


@pytest.mark.parametrize("options", [[], ["--no-exec"]], ids=str)
def test_the_programs_limit_of_tracebacks_is_none_of_stacks(
    stock: Debuggee, options: list[str]
) -> None:
    assert ", in <module>\n" in shown(stock, *options)


def test_the_original_client_sees_all_frames_too(
    odd: Debuggee, connect: Callable[..., object]
) -> None:
    text = connect(odd).modules["pystuck.thread_probe"].stacks_repr()
    assert ", in recurse\n" in text


def test_a_thread_has_one_title(odd: Debuggee) -> None:
    """A thread that was not started by threading, printed in each way."""

    def title(text: str) -> str:
        (line,) = (line for line in text.splitlines() if "<thread " in line)
        return "<thread " + line.partition("<thread ")[2]

    where = odd.host, odd.port
    script = pystuck("--no-stacks", *where, stdin="modules['pystuck.thread_probe'].stacks_repr()")
    titles = {
        title(shown(odd)),
        title(shown(odd, "--no-exec")),
        title(shown(odd, "--format", "plain")),
        title(script.stdout.replace("\\n", "\n")),
    }
    assert len(titles) == 1
    assert titles.pop().endswith(" (not started by threading)>")


#: A program that prints its own stacks: by the original pystuck, and by this package.
ITSELF = """
import json, sys, threading
from importlib import util
def load(name):
    file = sys.argv[1] + "/pystuck/" + name.split(".")[1] + ".py"
    spec = util.spec_from_file_location(name, file)
    module = sys.modules[name] = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
import types
package = sys.modules["original"] = types.ModuleType("original")
package.__path__ = [sys.argv[1] + "/pystuck"]
load("original.greenlets")
original = load("original.thread_probe")
import pystuck
server = pystuck.run_server(port=0)
event = threading.Event()
threading.Thread(target=event.wait, name="gr\\xfcn", daemon=True).start()
print(json.dumps({"port": server.port}), flush=True)
def stacks():
    return original.stacks_repr(greenlets=False)
sys.stdin.readline()
print(json.dumps(stacks()), flush=True)
sys.stdin.readline()
"""


def test_plain_text_is_the_originals(start_debuggee: Start) -> None:
    original = run_python("import json, os; print(json.dumps(os.environ['PYSTUCK_ORIGINAL']))")
    env = debuggee_environment()
    debuggee = Debuggee([*command("plain.py")[:1], "-c", ITSELF, str(original)], env)
    try:
        where = "127.0.0.1", debuggee.told["port"]

        def waits() -> str | None:
            text = pystuck("--no-repl", "--format", "plain", *where).stdout
            return text if text.count("\n<") == 1 and "wait" in text else None

        plain = wait_until(waits, "the thread to wait")
        debuggee.write("go on\n")
        said = json.loads(debuggee.read_line())
        # The main thread has run on; the other thread has not.
        assert said.split("\n\n")[1].strip() == plain.split("\n\n")[1].strip()
        assert said.count("\n") > 5
    finally:
        debuggee.kill()
