"""Runs pystuck(1), the native client, from Python."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import NoReturn

import _pystuck


def _beside_the_package() -> Iterator[str]:
    """Yield the paths that the client may have if it was installed with this package.

    PREFIX/bin/pystuck for PREFIX/lib/python3.x/site-packages/pystuck, as in a virtual environment;
    DIRECTORY/bin/pystuck for DIRECTORY/pystuck, as `pip install --target` makes it; and
    BUILD/client/pystuck for an extension in BUILD/pystuck_ext/.libs.
    """
    site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    library = os.path.dirname(os.path.dirname(site))
    if os.path.basename(library).startswith("lib"):
        yield os.path.join(os.path.dirname(library), "bin", "pystuck")
    yield os.path.join(site, "bin", "pystuck")
    libs = os.path.dirname(os.path.abspath(_pystuck.__file__))
    if libs.endswith("/pystuck_ext/.libs"):
        yield os.path.join(libs, "..", "..", "client", "pystuck")


def _is_program(path: str) -> bool:
    """True if path is a native program, not a script, which would import this package again."""
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def find() -> str:
    """Return the path of the client. Raises FileNotFoundError if it is not found."""
    on_path = (os.path.join(directory, "pystuck") for directory in os.get_exec_path())
    for path in (*_beside_the_package(), *on_path):
        if _is_program(path):
            return path
    package = os.path.dirname(os.path.abspath(__file__))
    if not os.path.isdir(package):  # a zip file
        raise FileNotFoundError(
            "there is no native client, the program 'pystuck', in a directory of the PATH, and it "
            f"cannot be in a zip file such as {os.path.dirname(package)}: install pystuck with pip"
        )
    raise FileNotFoundError(
        "cannot find the native client, the program 'pystuck': it is neither installed beside this "
        f"package, {package}, nor in a directory of the PATH"
    )


def become() -> NoReturn:
    """Replace this process by the client, with the same arguments."""
    try:
        path = find()
    except FileNotFoundError as error:
        sys.exit(f"pystuck: {error}")
    sys.stdout.flush()
    sys.stderr.flush()
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
    ):  # Python ignores these signals, and the client would inherit this
        signal.signal(number, signal.SIG_DFL)
    os.execv(path, ["pystuck", *sys.argv[1:]])


@contextlib.contextmanager
def _sigint_for_the_child() -> Iterator[None]:
    """Let only the child process react to Ctrl-C while the block runs.

    Sets a handler that does nothing, and not SIG_IGN, because the child would inherit SIG_IGN.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        if handler not in (None, signal.SIG_IGN):
            signal.signal(signal.SIGINT, lambda number, frame: None)
    except ValueError:  # only the main thread may set a handler
        handler = None
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


def run(arguments: list[str]) -> int:
    """Run the client on this terminal and return its exit status.

    If a signal ended the client, the status is minus the number of the signal. Raises
    KeyboardInterrupt if the signal was SIGINT, and FileNotFoundError if there is no client.
    """
    path = find()
    sys.stdout.flush()
    with _sigint_for_the_child():
        status = subprocess.run([path, *arguments], check=False).returncode
    if status == -signal.SIGINT:
        raise KeyboardInterrupt
    return status
