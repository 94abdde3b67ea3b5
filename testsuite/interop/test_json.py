# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --json, on all servers, against its schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from harness import (
    PATIENCE,
    RPYC4,
    RPYC5,
    RPYC6,
    Debuggee,
    Stock,
    c_program,
    clean_environment,
    command,
    debuggee_environment,
    pystuck,
    start_stuck,
    wait_until,
)

Start = Callable[..., Debuggee]

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "doc" / "stacks.schema.json").read_text())


@pytest.fixture(
    params=[None, RPYC4, RPYC5, RPYC6, "original"], ids=lambda each: str(each or "ours")
)
def server(request: pytest.FixtureRequest) -> Iterator[Debuggee]:
    """A stuck program with a server of each kind."""
    if request.param == "original":
        argv = command("stock_server.py", "original")
        debuggee = Debuggee(argv, RPYC5.environment("PYSTUCK_ORIGINAL"))
    else:
        stock: Stock | None = request.param
        debuggee = start_stuck(stock)
    yield debuggee
    debuggee.kill()


def assert_members(value: Any, shape: dict[str, Any]) -> None:
    """Checks that objects have the members of the schema and no others."""
    while "$ref" in (shape := (shape.get("anyOf") or [shape])[0]):
        shape = SCHEMA["definitions"][shape["$ref"].rpartition("/")[2]]
    if isinstance(value, dict) and "properties" in shape:
        assert set(value) == set(shape["properties"]) == set(shape["required"])
        for name, member in value.items():
            assert_members(member, shape["properties"][name])
    for item in value if isinstance(value, list) else ():
        assert_members(item, shape["items"])


def document(debuggee: Debuggee, *options: str) -> dict[str, Any]:
    """The output of --json, checked by the schema."""
    done = pystuck("--json", *options, debuggee.host, debuggee.port)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    jsonschema.Draft7Validator(SCHEMA).validate(found)
    assert_members(found, SCHEMA)
    return found


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_the_document_says_what_the_threads_do(server: Debuggee) -> None:
    def stuck() -> dict[str, Any] | None:
        found = document(server)
        frames = found["threads"][0]["frames"]
        return found if "could block" in str(frames[-1]["source"]) else None

    found = wait_until(stuck, "the main thread to be stuck")
    assert found["pid"] == server.pid
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", found["python"])
    assert found["argv"][0].endswith(".py")
    assert abs(found["time"] - time.time()) < PATIENCE
    assert found["greenlets"] == []
    main, *others = found["threads"]
    assert (main["main"], main["name"], main["daemon"]) == (True, "MainThread", False)
    assert main["native_id"] == server.pid
    assert main["repr"].startswith("<_MainThread(MainThread, started ")
    assert str(main["ident"]) in main["repr"]
    (frame,) = main["frames"]
    assert (frame["file"], frame["function"]) == (found["argv"][0], "<module>")
    assert (frame["source"], frame["source_status"]) == ("with lock:  # could block", "ok")
    (worker,) = (each for each in others if each["frames"][-1]["function"] == "work")
    assert (worker["main"], worker["daemon"]) == (False, True)
    assert worker["frames"][-1]["source"] == "sys.stdin.readline()"
    assert worker["frames"][0]["function"] == "_bootstrap"
    assert not any("pystuck_stacks" in str(each) for each in found["threads"])


POOL = """
import threading
ending = threading.Event()
for number in range(6):
    threading.Thread(target=ending.wait, name=f"worker-{number}", daemon=True).start()
def odd():
    ending.wait()
threading.Thread(target=odd, daemon=True).start()
"""


def test_equal_stacks_are_merged(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=(POOL, "ending.set()"))

    def merged() -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        found = document(debuggee)
        bootstraps = [each for each in found["merged"] if each["count"] == 7]
        if not bootstraps or len({each["stack"] for each in found["threads"]}) != 3:
            return None  # a thread is still starting
        return found, bootstraps[0]["children"]

    found, children = wait_until(merged, "all threads to wait")
    first, second = children
    assert (first["count"], first["frames"][0]["function"]) == (1, "odd")
    assert second["count"] == 6
    workers = [n for n, each in enumerate(found["threads"]) if "worker" in str(each["name"])]
    assert second["members"] == f"{workers[0]}-{workers[-1]}"
    assert first["members"] == str(len(found["threads"]) - 1)
    assert len({found["threads"][n]["stack"] for n in workers}) == 1


ODD = """
import _thread, threading
started, ending = [], threading.Event()
def wait():
    started.append(1)
    ending.wait()
class Raising(threading.Thread):
    def __repr__(self): raise ValueError
    name = daemon = property(lambda self: 1 / 0)
    _set_daemon = None
for name in ("sur\\udcffrogate", "new\\nline \\x1b\\x7f\\x9b", "gr\\xfcn"):
    threading.Thread(target=wait, name=name, daemon=True).start()
exec(compile("def from_nowhere():\\n    wait()\\n", "<sur\\udcff>", "exec"), globals())
_thread.start_new_thread(from_nowhere, ())
class Loader:
    def get_source(self, name): raise KeyError
exec(compile("def work():\\n    wait()\\n", "no.py", "exec"), odd := dict(
    __loader__=Loader(), __name__="odd", wait=wait))
threading.Thread(target=odd["work"], name="loader", daemon=True).start()
odd_one = threading.Thread(target=wait, daemon=True)
odd_one.start()
odd_one.__class__ = Raising
while len(started) < 6:
    threading.Event().wait(0.001)
sys.argv = ["x", "\\udcff", 5]
"""


def test_what_is_odd_is_shown_all_the_same(start_debuggee: Start) -> None:
    debuggee = start_debuggee("plain.py", arguments=(ODD, "ending.set()"))
    found = document(debuggee)
    assert found["argv"] == ["x", "\\udcff", "5"]
    by_name = {each["name"]: each for each in found["threads"]}
    assert {"sur\\udcffrogate", "new\nline \x1b\x7f\x9b", "gr\xfcn"} <= set(by_name)
    assert "work" in str(by_name["loader"]["frames"])
    assert by_name["loader"]["frames"][-2]["function"] in ("work", "wait")
    (unknown,) = (each for each in found["threads"] if each["name"] is None)
    (raising,) = (each for each in found["threads"] if each["repr_status"] == "error")
    assert raising["repr"].startswith("<__main__.Raising object at 0x")
    assert raising["repr"].endswith("(its repr raised ValueError)")
    assert raising["name"].startswith("Thread-")  # past its property, which raises
    assert unknown["repr"] == f"<thread {unknown['ident']} (not started by threading)>"
    assert unknown["daemon"] is None
    assert unknown["native_id"] in (None, *debuggee.threads())
    outermost = unknown["frames"][0]
    assert (outermost["file"], outermost["line"]) == ("<sur\\udcff>", 2)
    assert (outermost["function"], outermost["source"]) == ("from_nowhere", None)


def test_greenlets_are_shown_unless_they_are_excluded() -> None:
    preload = os.pathsep.join([os.environ["PYSTUCK_PYTHONPATH"], os.environ["PYSTUCK_GREENLET"]])
    env = debuggee_environment(PYTHONPATH=preload)
    debuggee = Debuggee(command("greenlets.py", '{"port": 0}'), env)
    try:
        found = document(debuggee)
        assert any(
            each["frames"][-1]["function"] == "suspended_in_main" for each in found["greenlets"]
        )
        assert document(debuggee, "--exclude-greenlets")["greenlets"] == []
        where = debuggee.host, debuggee.port
        assert "suspended_in_main" in pystuck("--no-repl", *where).stdout
        text = pystuck("--no-repl", "--exclude-greenlets", *where).stdout
        assert "MainThread" in text
        assert "suspended_in_main" not in text
    finally:
        debuggee.kill()


@pytest.mark.parametrize("where", ["stock", "original"])
def test_greenlets_can_be_excluded_on_any_server(where: str) -> None:
    settings = ["PYSTUCK_GREENLET"] + ["PYSTUCK_ORIGINAL"] * (where == "original")
    argv = command("stock_server.py", "original" if where == "original" else "SlaveService")
    debuggee = Debuggee(argv, RPYC5.environment(*settings))
    make = (
        "import greenlet\n"
        "def suspended(): greenlet.getcurrent().parent.switch()\n"
        "def make():\n"
        "    made = greenlet.greenlet(suspended); made.switch(); return made\n"
        "import __main__; __main__.made = make()\n"
        "__import__('time').sleep(3600)\n"
    )
    try:
        with subprocess.Popen(
            c_program("PYSTUCK_BIN", "--host", debuggee.host, "--port", str(debuggee.port))
            + ["-c", "print('go')\n" + make],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=clean_environment(),
        ) as client:
            arguments = "--no-repl", debuggee.host, debuggee.port
            try:
                wait_until(lambda: "in suspended" in pystuck(*arguments).stdout, "the greenlet")
                assert "in suspended" not in pystuck("--exclude-greenlets", *arguments).stdout
            finally:
                client.kill()
    finally:
        debuggee.kill()


def test_a_document_leaves_nothing_behind_in_the_program(stuck: Debuggee) -> None:
    document(stuck)
    holdings = stuck.holdings()
    document(stuck)
    stuck.wait_until_back_to(holdings)


def test_on_a_terminal_there_is_no_prompt_and_the_document_is_whole(start_debuggee: Start) -> None:
    import pexpect

    debuggee = start_debuggee("plain.py", arguments=(ODD, "ending.set()"))
    argv = c_program("PYSTUCK_BIN", "--json", debuggee.host, str(debuggee.port))
    text, status = pexpect.run(
        " ".join(argv), withexitstatus=True, env=clean_environment(), timeout=int(PATIENCE)
    )
    assert status == 0
    jsonschema.validate(json.loads(text), SCHEMA)
    assert b"\x1b" not in text


@pytest.mark.parametrize("options", [["-c", "1"], ["--no-stacks"]], ids=" ".join)
def test_it_goes_with_nothing_else(options: list[str]) -> None:
    done = pystuck("--json", *options, "127.0.0.1", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pystuck: --json cannot be combined with -c, a script or --no-s")


def test_it_does_not_go_with_a_script(tmp_path: Path) -> None:
    def status(stdin: Any, *options: str) -> tuple[int, bytes]:
        argv = c_program("PYSTUCK_BIN", "--json", *options, "127.0.0.1", "1")
        done = subprocess.run(
            argv, stdin=stdin, capture_output=True, env=clean_environment(), timeout=PATIENCE
        )
        return done.returncode, done.stderr

    script = tmp_path / "script.py"
    script.write_text("1\n")
    reader, writer = os.pipe()
    os.write(writer, b"1\n")
    for stdin in script.open(), reader:
        code, text = status(stdin)
        assert code == 2
        assert text == b"pystuck: --json cannot be combined with -c, a script or --no-stacks\n"
        assert b"nothing listens on" in status(stdin, "--no-repl")[1]
    os.read(reader, 2)
    for stdin in subprocess.DEVNULL, reader:
        assert b"nothing listens on" in status(stdin)[1]
    os.close(reader)
    os.close(writer)


def test_a_service_that_gives_no_modules() -> None:
    debuggee = Debuggee(command("stock_server.py", "VoidService"), RPYC6.environment())
    try:
        done = pystuck("--json", debuggee.host, debuggee.port)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "pystuck: cannot get the stacks: this RPyC server is not a classic (SlaveService)"
            " server\n"
        )
    finally:
        debuggee.kill()
