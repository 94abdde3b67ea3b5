# SPDX-License-Identifier: BSD-3-Clause
"""The tasks of asyncio, as a tree, for a program with tasks in known states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    Running,
    build_setting,
    debuggee_environment,
    pystuck,
    python,
    run_python,
    shown_by_json,
    wait_until,
)
from prompts import Prompt

PROGRAM = Path(__file__).parent / "programs" / "tasks.py"

#: The directory of the module collector.
COLLECTOR = str(Path(build_setting("PYSTUCK_COLLECTOR")).parent)

WAITS = "which waits for the result of an asyncio.Future"

#: The titles and notes of all tasks. "3.11:" marks those that only exist since this version.
TREE = f"""\
40 tasks of the asyncio loop of MainThread, which is blocked:
Task count
  # waits for the result of an asyncio.Future
Task dead 1
  # in the deadlock above: waits for Lock other, held by dead 0 since tasks.py:108
Task first of
  # awaits dead 0 and holder
  Task dead 0
    # in the deadlock above: waits for Lock other, held by dead 1 since tasks.py:108
  Task holder
    # waits for the result of an asyncio.Future
Task gather
  # awaits taker 0 and taker 1
  Task taker 0
    # waits for Lock lock, apparently held by holder since tasks.py:86, {WAITS}
  Task taker 1
    # waits for Lock lock, apparently held by manager since tasks.py:97, {WAITS}
Task gather stuck
  # awaits dead 0, which is in the deadlock above
Task getter
  # waits for an item in an asyncio.Queue
Task grabber
  # waits for the result of an asyncio.Future
Task grouped
  # awaits in group, {WAITS}
  Task in group
    # waits for the result of an asyncio.Future
Task holds condition
  # waits for the result of an asyncio.Future
Task in turn 0
  # waits for the result of an asyncio.Future
Task in turn 1
  # waits for the result of an asyncio.Future
Task in turn 2
  # waits for the result of an asyncio.Future
Task in turn 3
  # waits for Lock lock, apparently held by in turn 2 since tasks.py:86, {WAITS}
Task limited
  # awaits dead 0, which is in the deadlock above; the wait has a timeout
Task main
  # running in MainThread
Task manager
  # waits for the result of an asyncio.Future
Task notified
  # waits for a notification of asyncio.Condition condition
Task other thread
  # waits for the result of a Future, computed by asyncio_0, which waits for an Event to be set
Task permit 0
  # waits for the result of an asyncio.Future
Task permit 1
  # waits for the result of an asyncio.Future
Task permit 2
  # waits for the result of an asyncio.Future
Task ready
  # ready to run in MainThread
Task releases
  # waits for the result of an asyncio.Future
Task shielded
  # awaits dead 0, which is in the deadlock above
Task sleeper
  # sleeps
Task some
  # awaits dead 0 and holder; the wait has a timeout
Task taker 2
  # waits for Lock lock, apparently held by manager since tasks.py:97, {WAITS}
Task taker 5
  # waits for Lock lock, perhaps held by releases since tasks.py:115, {WAITS}
Task timed
  # waits for the result of an asyncio.Future; the wait has a timeout
6 tasks: worker-0 ... worker-5
  # waits for an asyncio.Event to be set
2 tasks of the asyncio loop of second:
Task second main
  # awaits second never, {WAITS}
  Task second never
    # waits for the result of an asyncio.Future
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in the program, whose tasks have all begun to wait."""
    socket = tmp_path_factory.mktemp("tasks") / "socket"
    argv = [python(), "-m", "pystuck", str(PROGRAM)]
    running = Running(argv, debuggee_environment(PYSTUCK=f"unix:{socket}"))
    try:
        wait_until(socket.exists, "the server to listen")
        place = f"unix:{socket}"
        parts = {"Task second never\n", "Task ready\n"}
        wait_until(
            lambda: all(each in pystuck(place).stdout for each in parts), "the tasks to begin"
        )
        yield place
    finally:
        running.kill()


def tree_of(text: str) -> list[str]:
    """Returns the lines with titles and notes of tasks."""
    return re.findall(r"^ *(?:Task |# |[0-9]+ tasks?[ :]).*", text, re.MULTILINE)


def wanted() -> list[str]:
    """Returns the lines of TREE for the Python of the program."""
    version = run_python("import sys; print(sys.version_info[1])")
    text = TREE
    if version < 11:
        text = re.sub(r"Task grouped\n.*\n.*\n.*\n", "", text)
        text = re.sub(r"Task timed\n.*\n", "", text).replace("40 tasks", "37 tasks")
    return text.splitlines()


def test_the_tree_shows_what_each_task_awaits(address: str) -> None:
    text = pystuck(address).stdout
    assert text.startswith("DEADLOCK: dead 1 -> dead 0 -> dead 1\n")
    assert tree_of(text[text.index(f"\n{wanted()[0]}\n") :]) == wanted()
    chain = text[text.index("Task count") : text.index("Task dead 1")]
    assert re.findall(r", in (\w+)\n *(.*)\n", chain) == [
        ("count", "async for _ in numbers():"),
        ("numbers", "await never()"),
        ("never", "await asyncio.get_running_loop().create_future()"),
    ]
    assert "\nTask worker-3\n" in pystuck("--full", address).stdout
    assert "Task" not in pystuck("--format", "plain", address).stdout


def report_of(address: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Returns the report of --json, its tasks by name, and its objects by id."""
    report = shown_by_json(address)
    tasks = {task["name"]: task for task in report["tasks"]}
    return report, tasks, {each["id"]: each for each in report["objects"]}


def test_json_has_the_tasks(address: str) -> None:
    report, tasks, objects = report_of(address)
    main, second = report["threads"][0], tasks["second main"]
    assert objects[tasks["ready"]["loop"]]["holders"] == [main["id"]]
    assert objects[second["loop"]]["holders"] != [main["id"]]
    assert second["awaits"] == [tasks["second never"]["id"]]
    assert [tasks[name]["state"] for name in ("main", "ready", "dead 0")] == [
        "running",
        "ready",
        "waiting",
    ]
    lock = objects[tasks["dead 0"]["waits"]["object"]]
    assert (lock["type"], lock["holders"]) == ("__main__.Lock", [tasks["dead 1"]["id"]])
    assert [hold["since"]["line"] for hold in tasks["manager"]["holds"]] == [97, 97]
    assert tasks["notified"]["holds"] == []
    finding = report["findings"][0]
    assert sorted(finding["members"]) == sorted(tasks[name]["id"] for name in ("dead 0", "dead 1"))


def test_a_hold_is_a_guess_if_the_lock_may_have_been_released(address: str) -> None:
    _, tasks, objects = report_of(address)

    def held_by(name: str) -> tuple[str, str, str, list[str]]:
        hold = tasks[name]["holds"][0]
        held = objects[hold["object"]]
        names = [each for each in tasks if tasks[each]["id"] in held["holders"]]
        return hold["certainty"], held["kind"], held["holder_status"], sorted(names)

    assert held_by("holder") == ("seen", "lock", "known", ["holder"])
    assert held_by("releases") == ("likely", "lock", "not-known", ["releases"])
    assert held_by("in turn 2") == ("seen", "lock", "known", ["in turn 2"])
    assert [tasks[f"in turn {i}"]["holds"] for i in (0, 1)] == [[], []]
    assert held_by("permit 0") == ("likely", "semaphore", "known", ["permit 0", "permit 1"])
    assert held_by("permit 1") == ("seen", "semaphore", "known", ["permit 0", "permit 1"])
    assert held_by("permit 2") == ("likely", "semaphore", "not-known", ["permit 2"])


def test_the_magic_prints_the_same_tree(address: str, tmp_path: Path) -> None:
    prompt = Prompt([address], tmp_path, columns=400)
    try:
        prompt.type("%tasks\r")
        prompt.expect(re.escape("\n"))
        prompt.number -= 1
        assert tree_of(prompt.next()) == wanted()
    finally:
        prompt.child.close(force=True)


def test_no_code_of_the_program_runs(address: str) -> None:
    code = "modules['__main__'].called"
    before = pystuck("--no-stacks", "-c", code, address).stdout
    pystuck(address)
    assert pystuck("--no-stacks", "-c", code, address).stdout == before == "[]\n"


def test_only_some_of_very_many_tasks_are_sorted() -> None:
    code = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
import collector
sorted_names, natural = [], collector._natural
collector._natural = lambda name: sorted_names.append(name) or natural(name)
collector._TASKS_MAX, collector._TASKS_SECONDS = 2, 1000
async def main():
    tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(99)]
    answer = collector.collect(16)
    found = [len(sorted_names), answer[14], len(answer[19])]
    collector._TASKS_SECONDS = -1
    collector.collect(16)
    print(json.dumps([*found, len(sorted_names)]))
asyncio.run(main())
"""
    note = ["tasks", "there are 100, but only 2 were read"]
    assert run_python(code, COLLECTOR) == [40, [note], 2, 42]


#: Modules that look like those of trio, with three tasks. Two of them are collected.
TRIO = """
import collections, json, sys, threading, types
sys.path.insert(0, sys.argv[1])
import collector

class Runner:
    init_task, runq = object(), collections.deque()

class Task:
    pass

module = sys.modules["trio._core._run"] = types.ModuleType("trio._core._run")
module.GLOBAL_RUN_CONTEXT = local = threading.local()
Runner.__module__, Runner.tasks, local.runner = module.__name__, {Task(), Task(), Task()}, Runner()
collector._TRIO_TASKS_MAX = 2
answer = collector.collect(16)
for names in collector._dicts_of_local(local):  # another thread may do this
    setattr(local, f"added{len(vars(local))}", 0)
found = [answer[14], len(answer[19])]
# One task is ready, and the other one runs after it was read.
ready, waiting, _ = Runner.tasks
Runner.tasks, Runner.runq = {ready, waiting}, collections.deque([ready])
waiting._schedule_points = 0
def set_wait(self, facts, chain):
    facts.wait, facts.task._schedule_points = ("obj:1", "lock", 0, False), 1
collector.TrioTasks._set_wait = set_wait
found += sorted([each[3], each[5]] for each in collector.collect(16)[19])
local.runner = object()
print(json.dumps([*found, *collector.collect(16)[19:21]]))
"""


def test_tasks_of_trio_that_are_left_out_are_said() -> None:
    note = ["tasks of trio", "there are 3, but only 2 were read"]
    assert run_python(TRIO, COLLECTOR) == [
        [note],
        2,
        ["ready", None],
        ["waiting", None],
        [],
        [],
    ]


def test_a_program_without_asyncio_has_no_tasks() -> None:
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import collector;"
        "print(json.dumps([*collector.collect(16)[19:], 'asyncio' in sys.modules]))"
    )
    assert run_python(code, COLLECTOR) == [[], [], False]
