"""What a client may ask of this process, or keep it waiting for, as run_server's arguments say."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Arguments of run_server: the default, the least and the most that makes sense.
_COUNTS = {
    "max_clients": (128, 1, 100_000),
    "max_frame": (256 * 1024 * 1024, 1024, 2**32 - 1),  # bytes; a length has 32 bits
    "max_decompressed": (256 * 1024 * 1024, 1024, 2**40),
    "max_depth": (200, 16, 200),  # least: what a call of plain values has itself
    "max_items": (16 * 1024 * 1024, 100, 2**40),
    "max_objects": (1_000_000, 1, 2**62),
}

#: ... in seconds, None for ever: the default.
_TIMES = {"handshake_timeout": 10, "send_timeout": 120}

_SECONDS_MOST = 1_000_000


def _count(name: str, value: Any) -> int:
    default, least, most = _COUNTS[name]
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} takes an int, not {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name}: {value} is not in {least} to {most}")
    return value


def _milliseconds(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} takes seconds, or None, not {value!r}")
    if not 0 < value <= _SECONDS_MOST:
        raise ValueError(
            f"{name}: {value} is not between 0 and {_SECONDS_MOST} seconds; None is for ever"
        )
    return max(1, int(value * 1000))


def native_limits(given: dict[str, Any]) -> tuple[int, ...]:
    """What the native server takes for these arguments, which are taken out of `given`.

    Raises ValueError and TypeError, which name the argument.
    """
    if given.get("max_decompressed") is None:  # whoever allows less, or more, means either
        given["max_decompressed"] = given.get("max_frame")
    counts = [_count(name, given.pop(name, None)) for name in _COUNTS]
    handshake, send = (
        _milliseconds(name, given.pop(name, default)) for name, default in _TIMES.items()
    )
    return (*counts, -1 if handshake is None else handshake, send or 0)
