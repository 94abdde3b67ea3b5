"""The stacks of all threads and greenlets of this process, as text.

Takes no lock of the threading module, since a thread that is stuck may hold such a lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType

from . import _stacks, _threads
from .greenlets import greenlet_frame_generator  # noqa: F401  the original pystuck has it here

__all__ = ["probe", "stacks_repr", "stacks_repr_generator"]

#: How many times a call is shown if it repeats. traceback.format_stack() does the same for
#: recursion.
_REPEATED_MAX = 3


class _UnknownThread:
    """A thread with a Python frame, but no threading.Thread: _thread or C code has started it."""

    def __init__(self, ident: int) -> None:
        self.ident = ident

    def __repr__(self) -> str:
        return _threads.without_object(self.ident)


def thread_frame_generator() -> Iterator[tuple[object, FrameType]]:
    """Yield (thread, its innermost frame) for each thread of the program, the main thread first."""
    for ident, thread, frame in _threads.threads([globals()]):
        yield thread or _UnknownThread(ident), frame


def _frame_text(frame: tuple) -> str:
    file, line, function, _, source, _ = frame
    return f'  File "{file}", line {line}, in {function}\n' + (f"    {source}\n" if source else "")


def _repeated_text(count: int) -> str:
    more = count - _REPEATED_MAX
    plural = "s" if more > 1 else ""
    return f"  [Previous line repeated {more} more time{plural}]\n" if more > 0 else ""


def _text(title: str, frames: tuple) -> str:
    parts, count = [title + "\n"], 0
    for at, frame in enumerate(frames):
        if at > 0 and frame[:3] != frames[at - 1][:3]:
            parts.append(_repeated_text(count))
            count = 0
        count += 1
        if count <= _REPEATED_MAX:
            parts.append(_frame_text(frame))
    return "".join(parts) + _repeated_text(count)


def stacks_repr_generator(threads: bool = True, greenlets: bool = True) -> Iterator[str]:
    """Yield a text per thread and greenlet: its repr, then its frames as format_stack prints them.

    A repr or a source file that blocks is left out: see _stacks. To find the greenlets, this
    function looks through all objects that the garbage collector knows. Greenlets that are running
    are left out: their frames are on the stacks of their threads, and some of these threads are
    pystuck's own, which are left out, too.
    """
    flags = _stacks.REPR | _stacks.SOURCE | (_stacks.GREENLETS if greenlets else 0)
    answer = _stacks.Answer(flags, caller=[vars(_stacks), globals()])
    answer.finish()
    for thread in answer.threads() if threads else ():
        yield _text(thread[8], thread[14])
    for greenlet in answer.greenlets():
        yield _text(greenlet[1], greenlet[6])


def stacks_repr(threads: bool = True, greenlets: bool = True) -> str:
    """Return the stacks of all threads and greenlets, with an empty line between them."""
    return "\n".join(stacks_repr_generator(threads, greenlets))


def probe(threads: bool = True, greenlets: bool = True) -> None:
    """Print the stacks of all threads and greenlets to this process's standard output."""
    for text in stacks_repr_generator(threads, greenlets):
        print(text)
