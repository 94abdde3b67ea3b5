"""The kinds of values that options of run_server take: how a value is checked, and read from text.

Every error names the option, shows the value, and says what was expected:
"invalid max_frame 0: expected an int from 1024 to 4294967295".
"""

from __future__ import annotations

import operator
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The most characters of a value that an error message shows.
_SHOWN_MOST = 100

#: The usual overflow id, for systems where /proc does not show the real one. The kernel reports the
#: overflow id for users and groups that have no id in this user namespace.
_OVERFLOW_ID = 65534


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MOST else text[: _SHOWN_MOST - 3] + "..."


def error(name: str, value: Any, expected: str, kind: type[Exception] = ValueError) -> Exception:
    """Return the error for a value that an option cannot have. kind: the class of the error."""
    return kind(f"invalid {name} {_shown(value)}: expected {expected}")


class Kind:
    """A kind of values. This base class accepts every value and does not change it.

    expected: what values are accepted, for errors and help. none_is_default: whether None means
    the option's default. is_list: whether the command line may give the option several times.
    metavar: the placeholder for the value in the help of the command line; None: the option takes
    no value.
    """

    metavar: str | None = "VALUE"
    none_is_default = False
    is_list = False

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def check(self, name: str, value: Any) -> Any:
        """Return the value in the form that the server uses.

        Raises TypeError or ValueError, which names the option.
        """
        return value

    def parse(self, name: str, text: str) -> Any:
        """Return the value for a text of the command line or the environment.

        Raises the same errors as check().
        """
        return self.check(name, text)

    def parse_list(self, name: str, texts: list[str]) -> Any:
        """Return the value for several texts. Called only if is_list is true.

        Raises the same errors as check().
        """
        return self.check(name, texts)

    def split(self, name: str, text: str) -> list[str]:
        """Return the items of a list that the environment gives as one text.

        Raises ValueError if an item is empty.
        """
        items = [item.strip() for item in self.separate(text)]
        if "" in items:
            raise error(name, text, "a list without empty items")
        return items

    def separate(self, text: str) -> list[str]:
        """Divide a text of the environment into the items of a list."""
        return text.split(",")


class Text(Kind):
    """A str without null characters."""

    def __init__(self, expected: str, metavar: str = "TEXT") -> None:
        super().__init__(expected)
        self.metavar = metavar

    def check(self, name: str, value: Any) -> str:
        """Implement Kind.check."""
        if not isinstance(value, str):
            raise error(name, value, self.expected, TypeError)
        if "\0" in value:
            raise error(name, value, f"{self.expected} without null characters")
        return value


class Integer(Kind):
    """An int within a range. out_of_range: the class of the error for an int outside the range."""

    metavar = "NUMBER"
    none_is_default = True

    def __init__(
        self, least: int, most: int, *, out_of_range: type[Exception] = ValueError
    ) -> None:
        super().__init__(f"an int from {least} to {most}")
        self._least, self._most = least, most
        self._out_of_range = out_of_range

    def check(self, name: str, value: Any) -> int:
        """Implement Kind.check."""
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or isinstance(value, bool):
            raise error(name, value, self.expected, TypeError)
        if not self._least <= number <= self._most:
            raise error(name, value, self.expected, self._out_of_range)
        return number

    def parse(self, name: str, text: str) -> int:
        """Implement Kind.parse."""
        try:
            number = int(text)
        except ValueError:
            raise error(name, text, self.expected) from None
        return self.check(name, number)


class Port(Integer):
    """A TCP port."""

    none_is_default = False

    def __init__(self) -> None:
        super().__init__(0, 65535, out_of_range=OverflowError)


class Seconds(Kind):
    """A time in seconds. None means no limit."""

    _MOST = 1_000_000

    def __init__(self) -> None:
        super().__init__(f"seconds above 0 and up to {self._MOST}, or None for no limit")

    def check(self, name: str, value: Any) -> float | None:
        """Implement Kind.check."""
        if value is None:
            return None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise error(name, value, self.expected, TypeError)
        if not 0 < value <= self._MOST:
            raise error(name, value, self.expected)
        return float(value)


class Flag(Kind):
    """True or False. If strict is false, 0 and 1 are accepted, too."""

    metavar = None

    def __init__(self, *, strict: bool = False) -> None:
        super().__init__("True or False")
        self.none_is_default = True
        self._strict = strict

    def check(self, name: str, value: Any) -> bool:
        """Implement Kind.check."""
        if not isinstance(value, bool if self._strict else int) or value not in (0, 1):
            raise error(name, value, self.expected, TypeError)
        return bool(value)

    def parse(self, name: str, text: str) -> bool:
        """Implement Kind.parse."""
        if text not in ("", "0", "1"):
            raise error(name, text, "1 or 0")
        return text == "1"


class Choice(Kind):
    """One of several words."""

    def __init__(self, *words: str) -> None:
        super().__init__(" or ".join(map(repr, words)))
        self.none_is_default = True
        self._words = words

    def check(self, name: str, value: Any) -> str:
        """Implement Kind.check."""
        if not isinstance(value, str):
            raise error(name, value, self.expected, TypeError)
        if value not in self._words:
            raise error(name, value, self.expected)
        return value


# ---- Files and sockets ---------------------------------------------------------------------------


class Path(Kind):
    """A path: str, bytes or os.PathLike; not a file descriptor."""

    metavar = "PATH"

    def check(self, name: str, value: Any) -> Any:
        """Implement Kind.check; None stays None."""
        if value is None:
            return None
        if not isinstance(value, (str, bytes, os.PathLike)):
            raise error(name, value, self.expected, TypeError)
        path = os.fspath(value)
        if not path or (b"\0" if isinstance(path, bytes) else "\0") in path:
            raise error(name, value, f"{self.expected}, not empty, without null characters")
        return path


class File(Path):
    """The path of a file that the server reads. The value is its absolute path.

    The server reads the file again when it has changed, and the program's working directory may be
    another one then.
    """

    metavar = "FILE"

    def __init__(self) -> None:
        super().__init__("the path of a file")

    def check(self, name: str, value: Any) -> Any:
        """Implement Kind.check; None stays None."""
        path = super().check(name, value)
        return None if path is None else os.path.abspath(path)


class Mode(Kind):
    """The mode of a Unix socket's file."""

    metavar = "MODE"

    def __init__(self) -> None:
        super().__init__("a file mode from 0o600 to 0o777 that lets the owner read and write")

    def check(self, name: str, value: Any) -> int:
        """Implement Kind.check."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise error(name, value, f"{self.expected}, an int such as 0o660", TypeError)
        if not 0 <= value <= 0o777 or value & 0o600 != 0o600:
            raise ValueError(f"invalid {name} {value:#o}: expected {self.expected}")
        return value

    def parse(self, name: str, text: str) -> int:
        """Implement Kind.parse."""
        try:
            mode = int(text, 8)
        except ValueError:
            raise error(name, text, "a file mode in octal, such as 0660") from None
        return self.check(name, mode)


# ---- Users, groups, certificates -----------------------------------------------------------------


def _user_number(name: str) -> int:
    import pwd

    return pwd.getpwnam(name).pw_uid


def _group_number(name: str) -> int:
    import grp

    return grp.getgrnam(name).gr_gid


def _overflow_id(kind: str) -> int:
    try:
        with open(f"/proc/sys/kernel/overflow{kind[0]}id") as file:
            return int(file.read())
    except (OSError, ValueError):
        return _OVERFLOW_ID


class Id(Kind):
    """A user or a group, given by name or id. The value is the id.

    kind: "user" or "group". The overflow id is refused: it stands for every user, or group, that
    has no id of its own in this user namespace.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"the name or id of a {kind}")
        self.metavar = kind.upper()
        self._kind = kind
        self._look_up = _user_number if kind == "user" else _group_number

    def check(self, name: str, value: Any) -> int:
        """Implement Kind.check."""
        if isinstance(value, str):
            try:
                number = self._look_up(value)
            except (KeyError, ValueError):  # ValueError: the name has a null character
                raise error(name, value, self.expected) from None
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            raise error(name, value, self.expected, TypeError)
        if not 0 <= number < 2**32 - 1:
            raise error(name, value, self.expected)
        if number == _overflow_id(self._kind):
            others = f"{self._kind} without an id in this user namespace"
            raise error(name, value, f"another {self._kind}: {number} stands for every {others}")
        return number

    def parse(self, name: str, text: str) -> int:
        """Implement Kind.parse."""
        return self.check(name, int(text) if text.isascii() and text.isdigit() else text)


class List(Kind):
    """A list of values of one kind, as a tuple. None stays None."""

    is_list = True

    def __init__(self, expected: str, item: Kind) -> None:
        super().__init__(expected)
        self.metavar = item.metavar
        self._item = item

    def _check_all(
        self, name: str, values: Any, convert: Callable[[str, Any], Any]
    ) -> tuple[Any, ...] | None:
        if values is None:
            return None
        if isinstance(values, (str, bytes, bytearray)) or not hasattr(values, "__iter__"):
            raise error(name, values, self.expected, TypeError)
        return tuple(convert(f"item of {name}", value) for value in values)

    def check(self, name: str, value: Any) -> tuple[Any, ...] | None:
        """Implement Kind.check."""
        return self._check_all(name, value, self._item.check)

    def parse_list(self, name: str, texts: list[str]) -> tuple[Any, ...] | None:
        """Implement Kind.parse_list."""
        return self._check_all(name, texts, self._item.parse)


class Subject(Text):
    """The subject of an accepted certificate: a common name, or a whole subject with "=" in it."""

    def __init__(self) -> None:
        super().__init__("a common name, or a whole subject such as 'CN=alice,O=Example'", "NAME")

    def check(self, name: str, value: Any) -> str:
        """Implement Kind.check."""
        if super().check(name, value) == "":
            raise error(name, value, self.expected)
        return value


class Subjects(List):
    """A list of subjects."""

    def __init__(self) -> None:
        super().__init__("a list of names of certificates", Subject())

    def separate(self, text: str) -> list[str]:
        """Implement Kind.separate.

        A whole subject contains "=" and commas. So semicolons separate the items if the text
        contains "=" or a semicolon; otherwise commas do.
        """
        import re

        return re.split(r"(?<!\\);" if ";" in text or "=" in text else ",", text)


# ---- Objects of the program ----------------------------------------------------------------------


class Object(Kind):
    """An object of the program, for which has(value) must be true. None stays None."""

    def __init__(self, expected: str, has: Callable[[Any], bool]) -> None:
        super().__init__(expected)
        self._has = has

    def check(self, name: str, value: Any) -> Any:
        """Implement Kind.check."""
        if value is not None and not self._has(value):
            raise error(name, value, self.expected, TypeError)
        return value


class Unsupported(Kind):
    """An argument of rpyc's Server that has no effect here: only None and False are accepted."""

    def __init__(self) -> None:
        super().__init__("None or False")

    def check(self, name: str, value: Any) -> None:
        """Implement Kind.check."""
        if value:
            raise TypeError(
                f"run_server() does not support {name}={_shown(value)}: expected {self.expected}"
            )
