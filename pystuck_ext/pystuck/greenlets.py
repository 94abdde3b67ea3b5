"""The greenlets of this process.

There is no list of greenlets, so they are searched among the objects of the garbage collector. No
code of the program runs. So isinstance() is not used: it reads the __class__ of an object, which
may be a remote object.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["greenlet_frame_generator"]


def greenlet_frame_generator() -> Iterator[tuple[object, FrameType | None]]:
    """Yield (greenlet, its innermost frame) for each greenlet that has begun and not ended.

    The frame is None for a greenlet that is running: its frame is that of its thread. If the
    program has not imported greenlet, there are no greenlets.
    """
    # Not greenlet.gr_frame: a subclass may replace it with code of its own.
    base = getattr(sys.modules.get("greenlet"), "greenlet", None)
    if not isinstance(base, type):
        return
    for greenlet in [thing for thing in gc.get_objects() if issubclass(type(thing), base)]:
        if base.__bool__(greenlet):
            yield greenlet, base.gr_frame.__get__(greenlet)
