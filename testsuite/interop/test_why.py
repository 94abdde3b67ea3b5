# SPDX-License-Identifier: BSD-3-Clause
"""pystuck.why(): the program itself learns why it is stuck."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness import Running, debuggee_environment, pystuck, python, run_python, wait_until

BANK = Path(__file__).parents[2] / "examples" / "stuck" / "bank.py"

CODE = "import json, pystuck; print(json.dumps(pystuck.why()))"


def without_time(text: str) -> dict[str, Any]:
    report = json.loads(text)
    assert isinstance(report.pop("time"), float)
    return report


def test_why_returns_what_json_shows(tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    address = f"unix:{socket}"
    program = Running([python(), "-m", "pystuck", str(BANK)], debuggee_environment(PYSTUCK=address))
    try:
        wait_until(socket.exists, "the server to listen")
        wait_until(lambda: pystuck("--check", address).returncode == 3, "the deadlock")
        shown = without_time(pystuck("--json", address).stdout)
        returned = without_time(pystuck("-c", CODE, address).stdout)
        assert returned == shown
        assert list(returned) == list(shown)
    finally:
        program.kill()


#: Has no server. The main thread holds a lock while the handler of a signal calls why(). Then
#: another thread calls why(), and after that a forked child.
PROGRAM = """\
import json, os, signal, threading, time
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
        "        while len(lines) < 3:\n"
        "            time.sleep(0.01)\n"
        "print(json.dumps(lines))\n"
    )
    assert [line.split(": ")[:2] for line in found] == [
        ["GET /", name] for name in ("MainThread", "late", "Thread-1")
    ]
