# SPDX-License-Identifier: BSD-3-Clause
"""turns.py: which client has its turn, which share runs, and when stock runs against stock."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stock_against_stock
import turns
from harness import RPYC4, RPYC5, RPYC6_BOUND, clean_environment


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEST_PART", "TEST_SHARE", "TURN", "STOCK_CLIENTS", "STOCK_AGAINST_STOCK"):
        monkeypatch.delenv(f"PYSTUCK_{name}", raising=False)


def item(name: str, *markers: str, **params: Any) -> Any:
    """The parts of a test item that turns.py reads."""
    return SimpleNamespace(
        nodeid=name,
        callspec=SimpleNamespace(params=params),
        get_closest_marker=lambda marker: marker if marker in markers else None,
    )


def rotating(name: str, n: int) -> Any:
    """A test item with the marker rotates(n)."""
    return SimpleNamespace(
        nodeid=name,
        get_closest_marker=lambda marker: (
            SimpleNamespace(args=(n,)) if marker == "rotates" else None
        ),
    )


def is_run(test: Any) -> bool:
    return all(condition(test) for condition in turns.conditions())


@pytest.mark.parametrize(
    ("params", "peer"),
    [
        ({"stock_clients": RPYC4}, "rpyc4"),
        ({"stock_clients": RPYC5, "server": None}, "rpyc5"),
        ({"server": RPYC6_BOUND, "lines": "rpyc4"}, "rpyc6-bound"),
        ({"server": "PYSTUCK_RPYC5"}, "rpyc5"),
        ({"server": "rpyc6-bind-threads"}, "rpyc6-bound"),
        ({"server": "rpyc6-symmetric"}, "rpyc6"),
        ({"server": "ours"}, None),
        ({"server": None}, None),
        ({"anywhere": "original"}, None),
        ({"text": "rpyc4"}, None),
    ],
)
def test_the_stock_rpyc_of_a_test_is_known(params: dict[str, Any], peer: str | None) -> None:
    assert turns.peer_of(item("x", **params)) == peer


def test_each_client_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for turn in range(255, 260):
        monkeypatch.setenv("PYSTUCK_TURN", str(turn))
        (client,) = turns.wanted_clients()
        seen.append(client)
        assert is_run(item("x", stock_clients=RPYC4)) == (client == "rpyc4")
        assert is_run(item("x", stock_clients=RPYC6_BOUND)) == (client == "rpyc6-bound")
        assert is_run(item("x", server=RPYC4)) == (client == "rpyc4")
        assert is_run(item("x", server=None))
        assert is_run(item("x"))
    assert sorted(seen) == sorted(turns.CLIENTS)


@pytest.mark.parametrize("turn", [None, ""])
def test_without_turns_every_client_is_tried(
    monkeypatch: pytest.MonkeyPatch, turn: str | None
) -> None:
    if turn is not None:
        monkeypatch.setenv("PYSTUCK_TURN", turn)
    assert turns.wanted_clients() == turns.CLIENTS


def test_each_case_of_a_rotating_test_has_one_of_n_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [rotating(f"x.py::test_a[{case}]", 3) for case in range(8)]
    single, other = rotating("x.py::test_b", 4), item("x.py::test_c")
    ran: list[str] = []
    for turn in range(60, 72):
        monkeypatch.setenv("PYSTUCK_TURN", str(turn))
        has_its_turn = turns.rotation([*cases, single, other])
        mine = [case.nodeid for case in cases if has_its_turn(case)]
        assert 2 <= len(mine) <= 3  # of 8 cases in 3 turns
        assert has_its_turn(other)
        ran += mine + [single.nodeid] * has_its_turn(single)
    assert {name: ran.count(name) for name in ran} == {
        **{case.nodeid: 4 for case in cases},
        single.nodeid: 3,
    }


def test_tests_with_a_single_case_are_spread_over_the_turns() -> None:
    found = turns.parts([rotating(f"x.py::test_{number}", 4) for number in range(40)])
    assert set(found.values()) == {0, 1, 2, 3}


def test_without_a_turn_each_rotating_test_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = [rotating(f"x.py::test_{number}", 4) for number in range(8)]
    monkeypatch.setenv("PYSTUCK_TURN", "")
    assert all(map(turns.rotation(tests), tests))


@pytest.mark.parametrize(
    ("options", "share", "ran"), [([], "", 1), (["-k", "test_it"], "", 4), ([], "1/2", 2)]
)
def test_named_tests_and_shares_do_not_rotate(
    tmp_path: Path, options: list[str], share: str, ran: int
) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["turns"]\n')
    markers = "measures\n  stock_against_stock\n  rotates(n)\n"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers =\n  {markers}")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.rotates(4)\n"
        "@pytest.mark.parametrize('x', range(4))\n"
        "def test_it(x): pass\n"
    )
    environment = clean_environment(PYSTUCK_TURN="1", PYTHONPATH=str(Path(__file__).parent))
    environment |= {"PYSTUCK_TEST_SHARE": share, "PYSTUCK_COUNTS": str(tmp_path / "counts")}
    environment.pop("PYTEST_ADDOPTS", None)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(tmp_path)]
    subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert (tmp_path / "counts").read_text() == f"{ran} 0 0\n"


def test_clients_can_be_chosen_in_any_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSTUCK_TURN", "0")
    for said, clients in (("rpyc4,rpyc5", ["rpyc4", "rpyc5"]), ("all", turns.CLIENTS)):
        monkeypatch.setenv("PYSTUCK_STOCK_CLIENTS", said)
        assert turns.wanted_clients() == clients


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STOCK_CLIENTS", "rpyc7"),
        ("STOCK_AGAINST_STOCK", "perhaps"),
        ("TEST_PART", "measure"),
        *(("TEST_SHARE", share) for share in ("0/2", "3/2", "2", "a/b", "1/", "/1")),
    ],
)
def test_what_is_no_choice_is_said(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"PYSTUCK_{name}", value)
    with pytest.raises(pytest.UsageError, match=f"PYSTUCK_{name}"):
        turns.conditions()


def test_each_test_is_in_one_share(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = [item(f"test_x.py::test_it[{number}]") for number in range(200)]
    counts = dict.fromkeys((test.nodeid for test in tests), 0)
    for share in range(1, 5):
        monkeypatch.setenv("PYSTUCK_TEST_SHARE", f"{share}/4")
        conditions = turns.conditions()
        mine = [test.nodeid for test in tests if all(each(test) for each in conditions)]
        assert mine == [name for name in counts if zlib.crc32(name.encode()) % 4 == share - 1]
        assert len(mine) > 20
        for name in mine:
            counts[name] += 1
    assert set(counts.values()) == {1}


def test_each_test_is_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = item("x", "measures"), item("x")
    for said, ran in (("together", [False, True]), ("measures", [True, False])):
        monkeypatch.setenv("PYSTUCK_TEST_PART", said)
        assert [is_run(one), is_run(other)] == ran


def test_stock_is_tried_against_stock_where_something_has_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test = item("x", "stock_against_stock", stock_clients=RPYC4)
    depends_on, known = tmp_path / "cases.py", tmp_path / "hash"
    depends_on.write_text("1")
    monkeypatch.setattr(stock_against_stock, "FILES", [depends_on])
    monkeypatch.setattr(stock_against_stock, "HASH", known)
    assert is_run(test)
    known.write_text(stock_against_stock.digest() + "\n")
    assert not is_run(test)
    depends_on.write_text("\n    # a comment\n1\n\n")
    assert not is_run(test)
    depends_on.write_text("2")
    assert is_run(test)
    monkeypatch.setenv("PYSTUCK_STOCK_AGAINST_STOCK", "no")
    assert not is_run(test)
    depends_on.write_text("1")
    monkeypatch.setenv("PYSTUCK_STOCK_AGAINST_STOCK", "yes")
    assert is_run(test)
    assert is_run(item("x", stock_clients=RPYC4))


def test_all_that_stock_against_stock_depends_on_is_there() -> None:
    for path in stock_against_stock.FILES:
        assert path.is_file()
    before = stock_against_stock.digest()
    assert before == stock_against_stock.digest()
    assert len(before) == 64


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize("changes", [False, True])
def test_the_hash_is_written_only_if_all_have_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, changes: bool
) -> None:
    depends_on, known = tmp_path / "cases.py", tmp_path / "hash"
    depends_on.write_text("1")
    monkeypatch.setattr(stock_against_stock, "FILES", [depends_on])
    monkeypatch.setattr(stock_against_stock, "HASH", known)

    def run(argv: list[str], env: dict[str, str], check: bool) -> Any:
        assert "stock_against_stock" in argv
        assert not set(stock_against_stock.CHOICES) & set(env)
        assert (env["PYSTUCK_STOCK_CLIENTS"], env["PYSTUCK_TURN"]) == ("all", "")
        if changes:
            depends_on.write_text("2")
        return SimpleNamespace(returncode=status)

    monkeypatch.setattr(stock_against_stock.subprocess, "run", run)
    assert (stock_against_stock.main() == 0) == known.exists() == (status == 0 and not changes)
    assert stock_against_stock.is_known_to_pass() == known.exists()


@pytest.mark.parametrize("jobs", ["0", "2"])
@pytest.mark.rotates(6)
def test_each_test_is_counted_once(tmp_path: Path, jobs: str) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["turns"]\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  measures\n  stock_against_stock\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_1(): pass\n"
        "def test_2(): pass\n"
        "def test_3(): assert 0\n"
        "def test_4(): pytest.skip()\n"
        "def test_5(): pytest.xfail()\n"
    )
    environment = clean_environment(
        PYSTUCK_COUNTS=str(tmp_path / "counts"), PYTHONPATH=str(Path(__file__).parent)
    )
    environment.pop("PYTEST_ADDOPTS", None)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", jobs, str(tmp_path)]
    subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert (tmp_path / "counts").read_text() == "2 1 2\n"
