# SPDX-License-Identifier: BSD-3-Clause
"""The files that pystuck's programs write. A file that another user has put there is not used."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import prompts
import pytest
from harness import PATIENCE, STRANGER, Debuggee, as_user, c_program, clean_environment, run_program
from prompts import Prompt
from test_find import in_namespaces  # noqa: F401  a fixture

Start = Callable[..., Debuggee]
Done = subprocess.CompletedProcess

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


def snapshot(path: Path) -> tuple[int, int, int, str]:
    """Returns what must not change of a file: inode, mode, owner and text."""
    info = path.stat()
    return info.st_ino, info.st_mode, info.st_uid, path.read_text()


# ---- The history ---------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The path of the history file. Its directory exists, the file does not."""
    path = tmp_path / "state" / "pystuck" / "history"
    path.parent.mkdir(parents=True)
    return path


def start(debuggee: Debuggee, home: Path) -> tuple[Prompt, str]:
    """Starts a prompt. Returns it, and the text that was printed before its first line."""
    prompt = Prompt([debuggee.host, debuggee.port], home)
    return prompt, prompts.CONTROL.sub("", prompt.child.before)


def assert_no_history(debuggee: Debuggee, home: Path, why: str) -> None:
    """Checks that the prompt prints one line about the missing history, and then works."""
    prompt, said = start(debuggee, home)
    assert [line for line in said.split("\n") if "history" in line] == [
        f"pystuck: no history: {why}"
    ]
    assert prompt.cell("6 * 7") == "Out[0]: 42\n\n"
    assert prompt.leave() == 0


def _link_to(link: Path, target: Path) -> None:
    """Path.hardlink_to, which exists from 3.10 on."""
    os.link(target, link)


@pytest.mark.parametrize(
    ("link", "why"),
    [(Path.symlink_to, "is a symbolic link"), (_link_to, "has more than one hard link")],
    ids=["symbolic", "hard"],
)
def test_a_history_that_is_a_link_is_not_used(
    ours: Debuggee, tmp_path: Path, history: Path, link: Callable[[Path, Path], None], why: str
) -> None:
    target = tmp_path / "target"
    target.write_text("mine\n")
    target.chmod(0o644)
    before = snapshot(target)
    link(history, target)
    assert_no_history(ours, tmp_path, f"{history} {why}")
    assert snapshot(target) == before


def test_no_file_is_created_at_the_target_of_a_history_that_is_a_link(
    ours: Debuggee, tmp_path: Path, history: Path
) -> None:
    history.symlink_to(tmp_path / "target")
    assert_no_history(ours, tmp_path, f"{history} is a symbolic link")
    assert not (tmp_path / "target").exists()


def test_a_history_that_is_not_a_regular_file_is_not_used(
    ours: Debuggee, tmp_path: Path, history: Path
) -> None:
    os.mkfifo(history)
    assert_no_history(ours, tmp_path, f"{history} is not a regular file")
    history.unlink()
    history.mkdir()
    assert_no_history(ours, tmp_path, f"{history}: Is a directory")


@needs_root
def test_a_history_of_another_user_is_not_used(
    ours: Debuggee, tmp_path: Path, history: Path
) -> None:
    history.write_text("theirs\n")
    history.chmod(0o666)
    os.chown(history, STRANGER, STRANGER)
    before = snapshot(history)
    assert_no_history(ours, tmp_path, f"{history} belongs to uid {STRANGER}")
    assert snapshot(history) == before


@needs_root
@pytest.mark.parametrize("whose", ["", "state", "state/pystuck"])
@pytest.mark.parametrize("is_made", [True, False])
def test_root_writes_nothing_in_a_users_directory(
    ours: Debuggee, tmp_path: Path, whose: str, is_made: bool
) -> None:
    """`sudo pystuck` may run with the HOME of the user."""
    theirs = tmp_path / "home" / whose
    (tmp_path / "home" / "state" / "pystuck" if is_made else theirs).mkdir(parents=True)
    os.chown(theirs, STRANGER, STRANGER)
    before = sorted(tmp_path.rglob("*"))
    assert_no_history(ours, tmp_path / "home", f"{theirs} belongs to uid {STRANGER}")
    assert sorted(tmp_path.rglob("*")) == before


@needs_root
def test_a_symbolic_link_of_another_user_is_not_followed(ours: Debuggee, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    link = tmp_path / "home" / "state"
    link.parent.mkdir()
    link.symlink_to(mine)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    assert_no_history(ours, link.parent, f"{link} belongs to uid {STRANGER}")
    assert list(mine.iterdir()) == []


def test_the_users_own_symbolic_links_to_directories_are_followed(
    ours: Debuggee, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "state").symlink_to(real)
    prompt, said = start(ours, tmp_path)
    assert "no history" not in said
    prompt.cell("6 * 7")
    assert prompt.leave() == 0
    assert (real / "pystuck" / "history").read_text() == "6 * 7\n"
    assert stat.S_IMODE((real / "pystuck").stat().st_mode) == 0o700


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a file."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_the_prompt_does_not_wait_for_a_lock_that_stays_held(
    ours: Debuggee, tmp_path: Path, history: Path
) -> None:
    history.write_text("'before'\n")
    with locked(history):
        assert_no_history(ours, tmp_path, f"another process has locked {history}")
    prompt, said = start(ours, tmp_path)
    assert "no history" not in said
    prompt.cell("1")
    with locked(history):
        said = prompt.cell("2") + prompt.cell("3")
    assert said.replace("\n", "").count("no history from now on: another process has locked") == 1
    prompt.cell("4")
    assert prompt.leave() == 0
    assert history.read_text() == "'before'\n1\n"


def test_the_prompt_waits_for_a_lock_that_is_held_for_a_moment(
    ours: Debuggee, tmp_path: Path, history: Path
) -> None:
    """Other prompts hold the lock for a short time when they write the history."""
    for _ in range(5):
        prompts_ = [start(ours, tmp_path) for _ in range(2)]
        for prompt, said in prompts_:
            assert "no history" not in said
            assert prompt.leave() == 0


def test_without_a_home_there_is_no_history(ours: Debuggee, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            prompts,
            "c_program",
            lambda *a: ["env", "-u", "HOME", "-u", "XDG_STATE_HOME", *c_program(*a)],
        )
        assert_no_history(ours, tmp_path, "neither XDG_STATE_HOME nor HOME is set")


@needs_root
def test_a_directory_that_cannot_be_written_to_has_no_history(
    start_debuggee: Start, tmp_path: Path
) -> None:
    debuggee = start_debuggee(allow_users=[STRANGER])
    home = Path("/tmp") / f"pystuck-home-{os.getpid()}"
    home.mkdir(mode=0o500)
    try:
        os.chown(home, STRANGER, STRANGER)
        as_user(
            STRANGER,
            lambda: assert_no_history(debuggee, home, f"{home}/state: Permission denied"),
        )
        assert list(home.iterdir()) == []
    finally:
        home.rmdir()


# ---- The keys ------------------------------------------------------------------------------------


@needs_root
def test_keys_of_another_user_are_not_set(
    ours: Debuggee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key may stand for a whole line, which would be run."""
    # libedit does not free the line of `bind -s`.
    without_check = ["env", "ASAN_OPTIONS=leak_check_at_exit=0"]
    monkeypatch.setattr(prompts, "c_program", lambda *a: [*without_check, *c_program(*a)])
    path = tmp_path / ".editrc"
    path.write_text("bind -s z 6*8\n")
    prompt, said = start(ours, tmp_path)
    assert "ignored key bindings" not in said
    assert prompt.cell("z") == "Out[0]: 48\n\n"
    assert prompt.leave() == 0
    os.chown(path, STRANGER, STRANGER)
    prompt, said = start(ours, tmp_path)
    assert f"pystuck: ignored key bindings: {path} belongs to uid {STRANGER}\n" in said
    assert "NameError" in prompt.cell("z")
    assert prompt.leave() == 0
    path.unlink()
    os.mkfifo(path)
    prompt, said = start(ours, tmp_path)
    assert f"pystuck: ignored key bindings: {path} is not a regular file\n" in said
    assert prompt.leave() == 0


# ---- %save, %run, %edit --------------------------------------------------------------------------


@pytest.fixture
def prompt(ours: Debuggee, tmp_path: Path) -> Iterator[Prompt]:
    """A prompt in which one cell has run, for %save."""
    prompt = Prompt([ours.host, ours.port], tmp_path, columns=250)
    prompt.cell("6 * 7")
    yield prompt
    prompt.child.close(force=True)


def ask(prompt: Prompt, line: str) -> str:
    """Types a line that gets no cell number. Returns its output."""
    prompt.number -= 1
    return prompt.cell(line)


def test_save_replaces_only_regular_files_of_the_user(prompt: Prompt, tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "saved.py"
    target.write_text("mine\n")
    before = snapshot(target)
    path.symlink_to(target)
    there = f"{path} exists already: type %save -f {path} to overwrite it\n"
    assert ask(prompt, f"%save {path}") == there
    assert ask(prompt, f"%save -f {path}") == f"cannot write {path}: it is a symbolic link\n"
    assert snapshot(target) == before
    path.unlink()
    path.symlink_to(tmp_path / "nothing")
    assert ask(prompt, f"%save {path}") == there
    assert not (tmp_path / "nothing").exists()
    for make in (os.mkfifo, os.mkdir):
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        assert ask(prompt, f"%save {path}") == there
        assert ask(prompt, f"%save -f {path}") == f"cannot write {path}: it is not a regular file\n"
    path.rmdir()
    path.write_text("was there\n")
    path.chmod(0o640)
    assert ask(prompt, f"%save -f {path}") == f"1 cell written to {path}\n"
    assert path.read_text() == "6 * 7\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not list(tmp_path.glob(".pystuck*"))


@needs_root
def test_a_file_of_another_user_is_not_replaced(prompt: Prompt, tmp_path: Path) -> None:
    path = tmp_path / "saved.py"
    path.write_text("theirs\n")
    path.chmod(0o666)
    os.chown(path, STRANGER, STRANGER)
    before = snapshot(path)
    assert ask(prompt, f"%save -f {path}") == f"cannot write {path}: it belongs to another user\n"
    assert snapshot(path) == before


def test_a_fifo_that_nothing_writes_to_is_an_empty_script(prompt: Prompt, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    prompt.cell(f"%run {tmp_path / 'fifo'}")
    assert prompt.cell("6 * 8").endswith(": 48\n\n")


@pytest.mark.parametrize("how", ["renamed", "link", "fifo", "theirs"])
def test_the_file_of_the_editor_is_read_only_if_it_belongs_to_the_user(
    ours: Debuggee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "theirs" and os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    (tmp_path / "planted").write_text("6 * 9\n")
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        + {
            "renamed": 'echo "6 * 8" > "$1.new" && mv "$1.new" "$1"',
            "link": f'rm "$1" && ln -s "{tmp_path}/planted" "$1"',
            "fifo": 'rm "$1" && mkfifo "$1"',
            "theirs": f'echo "6 * 9" > "$1" && chown {STRANGER} "$1"',
        }[how]
    )
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    prompt = Prompt([ours.host, ours.port], tmp_path, columns=250)
    if how == "renamed":
        assert prompt.cell("%edit") == "Out[0]: 48\n\n"
    else:
        said = ask(prompt, "%edit")
        assert said.startswith(f"cannot read the file that the editor saved: {tmp_path}/pystuck-")
        why = {"link": "is a symbolic link", "fifo": "is not a regular file"}
        assert why.get(how, f"belongs to uid {STRANGER}") in said
    assert prompt.leave() == 0
    assert not list(tmp_path.glob("pystuck-*"))


# ---- A disk that is full -------------------------------------------------------------------------

#: Mounts a file system of 16 KB on the directory $1, then runs the rest of the arguments.
SMALL = 'mount -t tmpfs -o size=16k none "$1" && shift && exec "$@"'


@needs_root
def test_on_a_full_disk_the_old_file_is_kept(
    in_namespaces: Callable[..., list[str]],  # noqa: F811
    ours: Debuggee,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    prefix = [*in_namespaces("-m"), "sh", "-c", SMALL, "sh", str(small)]
    monkeypatch.setattr(prompts, "c_program", lambda *a: [*prefix, *c_program(*a)])
    prompt = Prompt([ours.host, ours.port], small, columns=250)
    inside = Path(f"/proc/{prompt.child.pid}/root{small}")
    prompt.cell("6 * 7")
    assert ask(prompt, f"%save {small}/saved.py") == f"1 cell written to {small}/saved.py\n"
    (inside / "filler").write_text("")
    with contextlib.suppress(OSError), (inside / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    # The cell does not fit into the last page of the history file, and the disk has no free page.
    said = prompt.cell(f"'{'x' * 5000}' and 7")
    assert "no history from now on: " in said
    assert "No space left on device" in said
    said = ask(prompt, f"%save -f {small}/saved.py")
    assert said == f"cannot write {small}/saved.py: No space left on device\n"
    assert (inside / "saved.py").read_text() == "6 * 7\n"
    assert ask(prompt, f"%save {small}/other.py").startswith(f"cannot write {small}/other.py: ")
    assert not (inside / "other.py").exists()
    assert not list(inside.glob(".pystuck*"))
    assert prompt.leave() == 0


# ---- pystuck-keys --------------------------------------------------------------------------------

needs_keys = pytest.mark.skipif("PYSTUCK_KEYS" not in os.environ, reason="built without OpenSSL")


def keys(*arguments: object, prefix: tuple[str, ...] = ()) -> Done[str]:
    """Runs pystuck-keys."""
    return run_program([*prefix, *c_program("PYSTUCK_KEYS", *arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with keys."""
    path = tmp_path / "keys"
    assert keys(path).returncode == 0
    return path


@needs_keys
def test_pystuck_keys_does_not_write_through_symbolic_links(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine\n")
    before = snapshot(target)
    for name in ("crl.pem.new", "crl.pem"):
        (folder / name).symlink_to(target)
        done = keys("--revoke", folder / "client.pem", folder)
        assert snapshot(target) == before
        if name == "crl.pem":  # pystuck-keys reads the file, which is not a list
            assert "is not a revocation list of this CA" in done.stderr
        else:
            assert done.returncode == 0
            assert (folder / "crl.pem").read_text().startswith("-----BEGIN X509 CRL-----")
            (folder / "crl.pem").unlink()
        (folder / name).unlink()
    assert not list(folder.glob(".pystuck*"))
    (folder / "alice.key").symlink_to(tmp_path / "nothing")
    done = keys("--client", "alice", folder)
    assert done.stderr == (
        f"pystuck-keys: {folder}/alice.key exists already: nothing was written\n"
    )
    assert not (tmp_path / "nothing").exists()
    assert not (folder / "alice.pem").exists()


@needs_keys
@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "crl.pem"])
def test_pystuck_keys_does_not_wait_for_a_fifo_in_place_of_a_file(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    done = keys("--revoke", folder / "client.pem", folder)
    assert done.returncode == 1
    assert done.stderr == f"pystuck-keys: cannot read {folder}/{name}: Invalid argument\n"


@needs_keys
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_directory_that_other_users_may_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    try:
        done = keys(tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"pystuck-keys: other users may write to {tmp_path} and could replace the keys in it: "
            f"run chmod go-w {tmp_path}\n"
        )
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


@needs_keys
@needs_root
def test_a_directory_of_another_user_is_not_used(tmp_path: Path) -> None:
    os.chown(tmp_path, STRANGER, STRANGER)
    done = keys(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path} belongs to another user (uid {STRANGER})" in done.stderr
    assert list(tmp_path.iterdir()) == []


@needs_keys
@needs_root
def test_on_a_full_disk_no_incomplete_keys_are_left(
    in_namespaces: Callable[..., list[str]],  # noqa: F811
    tmp_path: Path,
) -> None:
    script = (
        'mount -t tmpfs -o size=16k,mode=700 none "$1" || exit 99; "$@"; echo "status $?" >&2;'
        'ls -A "$1" >&2'
    )
    argv = c_program("PYSTUCK_KEYS", tmp_path)
    done = subprocess.run(
        [*in_namespaces("-m"), "sh", "-c", script.replace('"$@"', '"$2" "$1"'), "sh", argv[-1]]
        + argv[:-1],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    first, *rest = done.stderr.splitlines()
    assert "No space left on device" in first
    assert rest == ["status 1"]
