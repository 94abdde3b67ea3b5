# SPDX-License-Identifier: BSD-3-Clause
"""pystuck.why(): the program itself learns why it is stuck."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Running, debuggee_environment, pystuck, python, run_python, wait_until
from prompts import Prompt

BANK = Path(__file__).parents[2] / "examples" / "stuck" / "bank.py"

CODE = "import json, pystuck; print(json.dumps(pystuck.why()))"


def without_time(text: str) -> dict[str, Any]:
    report = json.loads(text)
    assert isinstance(report.pop("time"), float)
    return report


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in a program that has a deadlock."""
    socket = tmp_path_factory.mktemp("bank") / "socket"
    address = f"unix:{socket}"
    argv = [python(), "-m", "pystuck", str(BANK)]
    program = Running(argv, debuggee_environment(PYSTUCK=address))
    try:
        wait_until(socket.exists, "the server to listen")
        wait_until(lambda: pystuck("--check", address).returncode == 3, "the deadlock")
        yield address
    finally:
        program.kill()


def test_why_returns_what_json_shows(bank: str) -> None:
    shown = without_time(pystuck("--json", bank).stdout)
    returned = without_time(pystuck("-c", CODE, bank).stdout)
    assert returned == shown
    assert list(returned) == list(shown)


WHY = """\
DEADLOCK: transfer-1 -> transfer-0 -> transfer-1
  transfer-1 (bank.py:9) waits for Lock dst.lock, held by transfer-0 since bank.py:7
  transfer-0 (bank.py:9) waits for Lock dst.lock, held by transfer-1 since bank.py:7

<_MainThread(MainThread, started N)>
  File "bank.py", line 24, in <module>
    t.join()
  # waits for the end of thread transfer-0, which is in the deadlock above

<Thread(transfer-0, started daemon N)>
  File "bank.py", line 9, in transfer
    with dst.lock:
  # in the deadlock above: waits for Lock dst.lock, held by transfer-1 since bank.py:7

<Thread(transfer-1, started daemon N)>
  File "bank.py", line 9, in transfer
    with dst.lock:
  # in the deadlock above: waits for Lock dst.lock, held by transfer-0 since bank.py:7

"""
#: Each lock is src.lock for one thread and dst.lock for the other: the titles have either name.
LOCKS = """\
Lock LOCK at N
  held by transfer-0 since bank.py:7
  transfer-1 (bank.py:9) waits for it

Lock LOCK at N
  held by transfer-1 since bank.py:7
  transfer-0 (bank.py:9) waits for it

"""


def generalized(text: str) -> str:
    """Returns the text without the folder, idents and addresses."""
    text = re.sub(r"(started |started daemon )\d+|(at )0x[0-9a-f]+", r"\1\2N", text)
    return text.replace(f"{BANK.parent}/", "").replace("\r", "")


def test_the_prompt_shows_the_reasons_and_the_locks(bank: str, tmp_path: Path) -> None:
    prompt = Prompt([bank], tmp_path, columns=100)
    shown = {}
    for magic in ("%why", "%locks"):
        prompt.type(f"{magic}\r")
        prompt.expect(rf"{magic}\r\n")
        prompt.number -= 1
        shown[magic] = generalized(prompt.next())
    assert shown["%why"] == WHY
    locks = re.sub(r"^Lock (src|dst)\.lock", "Lock LOCK", shown["%locks"], flags=re.MULTILINE)
    locks = locks.replace(" (dst.lock)\n", "\n")
    assert sorted(locks.split("\n\n")) == sorted(LOCKS.split("\n\n"))
    assert prompt.leave() == 0


#: Has no server. The main thread holds a lock while the handler of a signal calls why(). Then
#: another thread calls why(), and after that a forked child and a task.
PROGRAM = """\
import asyncio, json, os, signal, threading, time
import pystuck
lock, found, ready = threading.Lock(), {}, threading.Event()
class Title(threading.Thread):
    def __repr__(self):
        return pystuck.why()["threads"][0]["name"]
def work():
    ready.set()
    with lock:
        pass
def watch():
    found["thread"] = pystuck.why(greenlets=False)
def handle(number, frame):
    found["handler"] = pystuck.why()
def waits():
    notes = [each["notes"] for each in pystuck.why()["threads"] if each["name"] == "worker"]
    return notes and notes[0] and "waits for" in notes[0][0]
signal.signal(signal.SIGUSR1, handle)
with lock:
    worker = Title(target=work, name="worker")
    worker.start()
    ready.wait()
    while not waits():
        time.sleep(0.01)
    signal.raise_signal(signal.SIGUSR1)
    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    watcher.join()
worker.join()
out, into = os.pipe()
if os.fork() == 0:
    found = pystuck.why()
    os.write(into, json.dumps([found["pid"] == os.getpid(), len(found["threads"])]).encode())
    os._exit(0)
os.wait()
found["child"] = json.loads(os.read(out, 99))
async def ask():
    return pystuck.why()
found["task"] = asyncio.run(ask())
print(json.dumps(found))
"""


def thread_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in report["threads"] if each["name"] == name]
    return found


def line_of(text: str) -> int:
    (number,) = [n for n, line in enumerate(PROGRAM.splitlines(), 1) if text in line]
    return number


def test_why_needs_no_server_and_runs_on_any_thread() -> None:
    found = run_python(PROGRAM)
    in_handler, main = found["handler"], thread_of(found["handler"], "MainThread")
    assert [each["function"] for each in main["frames"]] == ["<module>", "handle"]
    assert main["frames"][-1]["line"] == line_of('found["handler"]')
    held = main["holds"][0]["since"]["line"]
    assert PROGRAM.splitlines()[held - 1] == "with lock:"
    worker = thread_of(in_handler, "worker")
    assert worker["notes"][0].startswith(
        f"waits for Lock lock, apparently held by MainThread since <string>:{held}, now in handle"
    )
    assert worker["repr"] == "MainThread"
    watcher = thread_of(found["thread"], "watcher")
    assert watcher["frames"][-1]["function"] == "watch"
    assert watcher["frames"][-1]["line"] == line_of('found["thread"]')
    assert watcher["waits"] is None
    assert found["child"] == [True, 1]
    (task,) = found["task"]["tasks"]
    assert [each["function"] for each in task["frames"]] == ["ask"]
    assert thread_of(found["task"], "MainThread")["frames"][-1]["function"] == "ask"


def test_the_watchdog_in_the_readme_logs_the_reason() -> None:
    text = (BANK.parents[2] / "README.md").read_text().partition("## In the program itself\n")[2]
    block = re.findall(r"(?:^    [^\n]*\n|^\n)+", text, re.MULTILINE)[1]
    example = re.sub("^    ", "", block, flags=re.MULTILINE).partition('with watched("GET')[0]
    found = run_python(
        example + "import json, time\n"
        "lines, lock = [], threading.Lock()\n"
        "logging.warning = lambda text, *args: lines.append(text % args)\n"
        "with lock:\n"
        "    threading.Thread(target=lock.acquire, name='late').start()\n"
        "    with watched('GET /', 0.01):\n"
        "        while len(lines) < 4:\n"
        "            time.sleep(0.01)\n"
        "print(json.dumps(lines))\n"
    )
    assert [line.split(": ")[1].partition(" (")[0] for line in found] == [
        "late apparently waits for MainThread",
        "MainThread",
        "late",
        "Thread-1",
    ]


#: Counts the calls of its own code, and its objects, before and after pystuck.why().
HOSTILE = """
import gc, json, queue, sys, threading, time, tracemalloc, pystuck
ran, armed, never = [], [], threading.Event()
def spy(name, base=None):
    def method(self, *args, **more):
        if armed:
            ran.append(name)
        return getattr(base or object, name)(self, *args, **more)
    return method
NAMES = ("__repr__", "__hash__", "__eq__", "__getattribute__", "__setattr__", "__dir__")
Meta = type("Meta", (type,), {n: spy(n, type) for n in (*NAMES, "__instancecheck__")})
def hostile(base):
    return Meta("Of" + base.__name__, (base,), {n: spy(n, base) for n in NAMES})
class Descriptor:
    def __get__(self, *args):
        if armed:
            ran.append("__get__")
        return plain
class Owner(hostile(object)):
    lock, other = Descriptor(), property(lambda self: self.lock)
rlock, condition = hostile(type(threading.RLock()))(), hostile(threading.Condition)()
semaphore, things = hostile(threading.Semaphore)(0), hostile(queue.Queue)()
plain, owner = threading.Lock(), Owner()
def hold():
    with plain, rlock:
        never.wait()
def enter():
    with owner.other:
        pass
def wait():
    with condition:
        condition.wait()
def start(target):
    threading.Thread(target=target, daemon=True).start()
start(hold)
while not plain.locked():
    time.sleep(0.001)
for target in (enter, rlock.acquire, wait, semaphore.acquire, things.get):
    start(target)
def ask(times):
    for _ in range(times):
        report = pystuck.why()
    return sorted(t["notes"][0] for t in report["threads"] if t["notes"])
def count():
    gc.collect()
    references = getattr(sys, "gettotalrefcount", int)()
    return len(gc.get_objects()), references, tracemalloc.get_traced_memory()[0]
until = time.monotonic() + 30
while sum("wait" in note for note in ask(1)) < 6 and time.monotonic() < until:
    time.sleep(0.01)
tracemalloc.start()
ask(3)
armed.append(True)
before = count()
notes = ask(10)
after = count()
armed.clear()
print(json.dumps({"ran": ran, "notes": notes, "more": [b - a for a, b in zip(before, after)]}))
"""


def test_why_runs_no_code_and_changes_nothing() -> None:
    found = run_python(HOSTILE)
    assert found["ran"] == []
    objects, references, memory = found["more"]
    assert objects <= 5
    assert references <= 50
    assert memory < 10_000
    notes = " ".join(found["notes"])
    for words in ("Lock plain, apparently held by", "OfRLock rlock, held by", "an OfQueue"):
        assert words in notes
