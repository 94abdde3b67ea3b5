"""The greenlets of this process.

There is no list of them, so the garbage collector is asked. Runs no code of the program's: not even
isinstance(), which asks an object for its __class__, perhaps a remote one.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["greenlet_frame_generator"]


def greenlet_frame_generator() -> Iterator[tuple[object, FrameType | None]]:
    """Yield (greenlet, its innermost frame) for each greenlet that has begun and not ended.

    The frame is None for a greenlet that runs now: it has that of its thread. Nothing is yielded in
    a program that has not imported greenlet.
    """
    # Not greenlet.gr_frame: a subclass may replace it with code of its own.
    base = getattr(sys.modules.get("greenlet"), "greenlet", None)
    if not isinstance(base, type):
        return
    for greenlet in [thing for thing in gc.get_objects() if issubclass(type(thing), base)]:
        if base.__bool__(greenlet):
            yield greenlet, base.gr_frame.__get__(greenlet)
