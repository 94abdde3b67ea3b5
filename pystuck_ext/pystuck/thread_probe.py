"""The stacks of all threads and greenlets of this process, as text.

Takes no lock of Python's threading module: the program may be stuck with it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from types import FrameType

from . import _stacks
from .greenlets import greenlet_frame_generator

__all__ = ["probe", "stacks_repr", "stacks_repr_generator"]


class _UnknownThread:
    """A thread with a Python frame and without a threading.Thread: started by _thread or by C."""

    def __init__(self, ident: int) -> None:
        self.ident = ident

    def __repr__(self) -> str:
        return _stacks.thread_title(self.ident, None)[0]


def _caller(frame: FrameType) -> FrameType:
    """The innermost frame that does not belong to this module."""
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    return frame


def thread_frame_generator() -> Iterator[tuple[object, FrameType]]:
    """Yield (thread, its innermost frame) for each thread of the program, the main thread first."""
    for ident, thread, frame in _stacks.threads(with_caller=True):
        yield thread or _UnknownThread(ident), _caller(frame)


def _calls(frame: FrameType) -> str:
    try:
        # Without an explicit limit, sys.tracebacklimit applies.
        return "".join(traceback.format_stack(frame, sys.maxsize))
    except KeyboardInterrupt:
        raise
    except BaseException:  # the loader of a module may raise when it is asked for the source
        return "".join(
            f'  File "{each.f_code.co_filename}", line {each.f_lineno}, in {each.f_code.co_name}\n'
            for each in _stacks.calls(frame)
        )


def _text(thing: object, frame: FrameType) -> str:
    return _stacks.sendable(f"{_stacks.title(thing)[0]}\n{_calls(frame)}")


def stacks_repr_generator(threads: bool = True, greenlets: bool = True) -> Iterator[str]:
    """Yield a text per thread and greenlet: its repr, then its frames as format_stack prints them.

    To find the greenlets, all objects that the garbage collector knows are looked through. Those
    that run now are left out: their frames are their threads', and some are our own threads'.
    """
    for thread, frame in thread_frame_generator() if threads else ():
        yield _text(thread, frame)
    for greenlet, frame in greenlet_frame_generator() if greenlets else ():
        if frame is not None:
            yield _text(greenlet, frame)


def stacks_repr(threads: bool = True, greenlets: bool = True) -> str:
    """The stacks of all threads and greenlets, with an empty line between them."""
    return "\n".join(stacks_repr_generator(threads, greenlets))


def probe(threads: bool = True, greenlets: bool = True) -> None:
    """Print the stacks of all threads and greenlets to this process's standard output."""
    for text in stacks_repr_generator(threads, greenlets):
        print(text)
