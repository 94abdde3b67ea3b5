"""The stacks of all threads of this process, as text.

Takes no lock of Python's: the program is stuck, and so may its locks be.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType

import _pystuck

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


def thread_frame_generator() -> Iterator[tuple[object, FrameType]]:
    """Yield (thread, its innermost frame) for each thread of the program, the main thread first."""
    before = _known_threads()  # a thread that ends meanwhile is still known, one that starts too
    frames = sys._current_frames()
    threads = {**before, **_known_threads()}
    main = threading.main_thread()
    for ident in _pystuck.own_threads():
        frames.pop(ident, None)
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


def stacks_repr_generator(threads: bool = True) -> Iterator[str]:
    """Yield a text per thread: its repr, then its frames as traceback.format_stack prints them."""
    for thread, frame in thread_frame_generator() if threads else ():
        yield _encodable(f"{_title(thread)}\n{_calls(frame)}")


def stacks_repr(threads: bool = True) -> str:
    """The stacks of all threads, with an empty line between them."""
    return "\n".join(stacks_repr_generator(threads))


def probe(threads: bool = True) -> None:
    """Print the stacks of all threads to this process's standard output."""
    for text in stacks_repr_generator(threads):
        print(text)
