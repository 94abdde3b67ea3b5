# SPDX-License-Identifier: BSD-3-Clause
"""pystuck --locals: the local variables of frames, without running code of the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from harness import Running, debuggee_environment, pystuck, python, wait_until
from hostile import Liar, Message, Server

#: Each class counts in `ran` all of its methods that are called from the moment when it is armed.
PROGRAM = '''\
import threading, time
ran, armed = [], []
def spy(name):
    def method(self, *args, **kw):
        if armed:
            ran.append(name)
        return None
    return method
NAMES = """__repr__ __str__ __hash__ __eq__ __getattr__ __dir__ __len__ __iter__ __bool__ __index__
    __int__ __float__ __format__ __reduce_ex__ __sizeof__ __class_getitem__ __getitem__ keys items
    __get__ __call__ __del__ __contains__ __instancecheck__ __subclasscheck__""".split()
METHODS = {name: spy(name) for name in NAMES}
def getattribute(self, name):
    if armed:
        ran.append("__getattribute__ " + name)
    return object.__getattribute__(self, name)
METHODS["__getattribute__"] = getattribute
Meta = type("Meta", (type,), {n: METHODS[n] for n in ("__repr__", "__hash__", "__instancecheck__")})
def hostile(name, base):
    return Meta(name, (base,), dict(METHODS, __slots__=()) if base is int else dict(METHODS))
def fill(kind, value):
    made = kind.__new__(kind, value)
    for base in (dict, list):
        if isinstance(value, base):
            base.update(made, value) if base is not list else base.extend(made, value)
    return made
RLock = hostile("RLock", threading._RLock)
lock = threading.Lock()
lock.acquire()
def stay(secret, count, *args, **more):
    plain = object.__new__(hostile("Plain", object))
    text, number = hostile("str", str)("hidden"), hostile("int", int)(77)
    mapping = fill(hostile("dict", dict), {"hidden": 1})
    items = fill(hostile("L", list), ["hidden"])
    prop = type("P", (), {"value": property(spy("property")), "__slots__": ("slot",)})()
    rlock = RLock.__new__(RLock)
    kind = type(plain)
    nothing, yes, no, half, huge, less = None, True, False, 0.5, 2**200, -7
    data, names, pair = b"\\x00'", frozenset({1, 2}), (1,)
    table = {"a": 1, None: [1.0, {"b": {"c": {}}}], 3: plain}
    many, long = list(range(100)), "x" * 100
    line = "it's\\n\\x7f \u00e4\u20ac\U0001f600"
    unset = 1
    del unset
    def inner():
        return free
    free = "in a cell"
    own = locals()
    own["count"] = 99
    owned.append(own)
    lock.acquire()
owned = []
thread = threading.Thread(target=stay, args=("password", 5, 6), kwargs={"k": "v"}, name="stay")
thread.daemon = True
thread.start()
while not owned:
    time.sleep(0.001)
armed.append(True)
print("ready", flush=True)
time.sleep(1000)
'''

#: What is shown. AT stands for an address.
SHOWN = r"""
secret = 'password'
count = 5
args = (6,)
more = {'k': 'v'}
plain = <Plain object AT>
text = <str object AT>
number = <int object AT>
mapping = <dict object AT>
items = <L object AT>
prop = <P object AT>
rlock = <RLock object AT>
kind = <Meta object AT>
nothing = None
yes = True
no = False
half = 0.5
huge = <an int of more than 64 bits>
less = -7
data = b'\x00\''
names = <a set of 2 items>
pair = (1,)
table = {'a': 1, None: [1.0, {...}], 3: <Plain object AT>}
many = [0, 1, 2, 3, 4, 5, ... (100 items)]
long = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
line = 'it\'s\n\x7f äöü'
inner = <function object AT>
free = 'in a cell'
""".replace("äöü", "\u00e4\u20ac\U0001f600").split("\n")[1:-1]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The program: its PID, and the address of its server."""
    socket = tmp_path_factory.mktemp("locals") / "socket"
    address = f"unix:{socket}"
    argv = [python(), "-m", "pystuck", "-c", PROGRAM]
    running = Running(argv, debuggee_environment(PYSTUCK=address))
    try:
        assert running.read_line() == "ready"
        wait_until(lambda: "# waits for Lock lock" in pystuck(address).stdout, "the thread to wait")
        yield running.pid, address
    finally:
        running.kill()


def ask(address: str, expression: str) -> str:
    return pystuck("-c", f"modules['__main__'].{expression}", address).stdout.strip()


def locals_of(text: str) -> list[str]:
    """Returns the lines of the local variables of the function stay, in alphabetical order."""
    text = text.partition(", in stay\n")[2]
    lines = re.findall(r"^      (\w+ = .*)$", text, re.MULTILINE)
    return sorted(re.sub(r"at 0x[0-9a-f]+", "AT", line) for line in lines if line[:6] != "own = ")


@pytest.mark.parametrize("how", ["server", "outside"])
def test_values_are_shown_and_no_code_runs(program: tuple[int, str], how: str) -> None:
    pid, address = program
    if how == "server":
        done = pystuck("--locals", address)
    else:
        # The server must not answer: this client may not use it.
        done = pystuck("--locals", f"--pid={pid}", "--subprocesses", "--server-user=12345")
    assert locals_of(done.stdout) == sorted(SHOWN), done.stderr
    assert ("were read from outside the process" in done.stdout) == (how == "outside")
    assert ask(address, "ran") == "[]"
    assert ask(address, "owned[0]['count']") == "99"


def test_without_the_option_no_value_is_shown(program: tuple[int, str]) -> None:
    pid, address = program
    outside = [f"--pid={pid}", "--subprocesses", "--server-user=12345"]
    for arguments in ([address], outside, ["--json", address]):
        assert "password" not in pystuck(*arguments).stdout.replace('args=("password"', "").replace(
            'args=(\\"password\\"', ""
        )
    report = json.loads(pystuck("--json", address).stdout)
    frames = [frame for each in report["threads"] for frame in each["frames"]]
    assert {str(frame["locals"]) for frame in frames} == {"None"}


def test_json_and_why_have_the_values(program: tuple[int, str]) -> None:
    _, address = program
    report = json.loads(pystuck("--locals", "--json", address).stdout)
    (thread,) = [each for each in report["threads"] if each["name"] == "stay"]
    found = {each["name"]: each for each in thread["frames"][-1]["locals"]}
    assert found["secret"] == {
        "name": "secret",
        "type": "str",
        "text": "'password'",
        "status": "ok",
    }
    assert found["mapping"]["type"] == "dict"
    code = "import json, pystuck; print(json.dumps(pystuck.why(locals=True)))"
    returned = json.loads(pystuck("-c", code, address).stdout)
    frames = [each["frames"] for each in report["threads"]]
    assert [each["frames"] for each in returned["threads"]] == frames


def frame(locals_: object) -> tuple:
    return ("f.py", 1, "f", None, None, "skipped", None, None, locals_)


def shown(threads: tuple, *options: str) -> str:
    """What the client shows with --locals, if a server answers with these threads."""

    def stacks(liar: Liar, message: Message) -> None:
        liar.give(message, (2, (2, 1.5, *[None] * 11, "server", (), None, None, threads, ())))

    with Server(stacks=stacks) as server:
        return pystuck("--locals", *options, *map(str, server.address)).stdout


def thread(number: int, locals_: object) -> tuple:
    """A thread with one frame."""
    return (f"thread:{number}", number, number, 0, f"w-{number}", "threading", False, number == 1,
            f"<{number}>", "ok", None, None, None, None, (frame(locals_),))  # fmt: skip


def test_a_group_of_threads_has_no_local_variables() -> None:
    """They would be those of one of the threads. The last thread has none at all."""
    values = (("x", "int", "1", "ok"),)
    threads = tuple(thread(i, values if i < 7 else None) for i in range(1, 8))
    merged, full = shown(threads), shown(threads, "--full")
    assert "7 threads: w-1 ... w-7" in merged
    assert "x = 1" not in merged
    assert full.count("      x = 1\n") == 6
    assert (
        "not shown: local variables of some threads (these threads are running, or there are too"
        in full
    )


def test_a_server_without_local_variables_says_so() -> None:
    assert "not shown: local variables (the server cannot read them)" in shown((thread(1, None),))
