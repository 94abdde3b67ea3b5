"""The greenlets of this process.

Python has no list of greenlets, so this module looks through the objects that the garbage collector
knows. No code of the program must run. So isinstance() is not used: it reads the __class__ of an
object, and the object may be a netref.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["greenlet_frame_generator"]


def greenlet_frame_generator() -> Iterator[tuple[object, FrameType | None]]:
    """Yield (greenlet, its innermost frame) for each greenlet that has begun and not ended.

    The frame is None for a greenlet that is running: its frames are on the stack of its thread. If
    the program has not imported greenlet, there are no greenlets.
    """
    # A subclass may replace gr_frame by its own code. So gr_frame is read from the base class.
    base = getattr(sys.modules.get("greenlet"), "greenlet", None)
    if not isinstance(base, type):
        return
    for greenlet in [thing for thing in gc.get_objects() if issubclass(type(thing), base)]:
        if base.__bool__(greenlet):
            yield greenlet, base.gr_frame.__get__(greenlet)
