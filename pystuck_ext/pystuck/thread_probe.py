"""The stacks of all threads and greenlets of this process, as text.

Takes no lock of Python's: the program is stuck, and so may its locks be.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType

import _pystuck

from .greenlets import greenlet_frame_generator

__all__ = ["probe", "stacks_repr", "stacks_repr_generator"]


class _UnknownThread:
    """A thread with a Python frame and no threading.Thread: started through _thread, or by C."""

    def __init__(self, ident: int) -> None:
        self.ident = ident

    def __repr__(self) -> str:
        return f"<thread {self.ident}, not started by threading>"


def _known_threads() -> dict[int, threading.Thread]:
    """Threads by ident, without the lock that threading.enumerate() takes."""
    return dict(threading._active)


def _caller(frame: FrameType) -> FrameType:
    """The innermost frame that is none of this module's."""
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    return frame


def thread_frame_generator() -> Iterator[tuple[object, FrameType]]:
    """Yield (thread, its innermost frame) for each thread of the program, the main thread first."""
    before = _known_threads()  # a thread that ends meanwhile is still known, one that starts too
    frames = sys._current_frames()
    threads = {**before, **_known_threads()}
    main = threading.main_thread()
    for ident in _pystuck.own_threads():
        frames.pop(ident, None)
    for ident, frame in frames.items():
        if frame is sys._getframe():  # it has no callers while what it yields is looked at
            frames[ident] = _caller(frame)
    for ident, thread in sorted(threads.items(), key=lambda item: item[1] is not main):
        if ident in frames:
            yield thread, frames.pop(ident)
    for ident, frame in frames.items():
        yield _UnknownThread(ident), frame


def _title(thread: object) -> str:
    try:
        return repr(thread)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # one bad __repr__ must not cost all the other stacks
        return f"{object.__repr__(thread)} (its repr raised {type(exc).__name__})"


def _calls_without_source(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        code = frame.f_code
        yield f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}\n'
        frame = frame.f_back


def _calls(frame: FrameType) -> str:
    try:
        return "".join(traceback.format_stack(frame))
    except KeyboardInterrupt:
        raise
    except BaseException:  # a module's loader that raises when asked for its source
        return "".join(reversed(list(_calls_without_source(frame))))


def _encodable(text: str) -> str:
    """Escape lone surrogates, which a file's name may hold and the wire cannot."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _text(thing: object, frame: FrameType) -> str:
    return _encodable(f"{_title(thing)}\n{_calls(frame)}")


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
