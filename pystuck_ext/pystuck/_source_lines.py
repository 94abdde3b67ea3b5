"""Finds the source lines of frames.

Lines are read from files, from the loaders of modules and from linecache. The first two are calls
that may block: see _blocking_calls.

A part of the collector: see _stacks.
"""

import functools
import linecache
import re
import stat
import sys

from ._blocking_calls import BUDGET_MS, Item, call_all
from ._without_code import as_str, attempt, names_of_code, system

_FILE_MAX = 1 << 24  #: bytes
_FILES_REMEMBERED = 256
#: True if linecache finds the source of frozen modules.
_HAS_FROZEN_SOURCE = sys.version_info >= (3, 14)

_coding = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)").match
_blank = re.compile(rb"[ \t\f]*(?:#.*)?\Z").match

#: A cache of lines of files: {path: ((mtime in ns, size, inode), {line number: text})}
_remembered = {}


def _encoding(lines):
    """Return the name of the encoding of a source file: see PEP 263."""
    for line in lines[:2]:
        declared = _coding(line)
        if declared:
            return declared.group(1).decode("ascii")
        if not _blank(line):
            break
    return "utf-8"


def _read(path, size):
    """Return the bytes of a file; None if the file is not a regular file, or is too long."""
    fd = system.open(path, system.flags)
    try:
        if not stat.S_ISREG(system.fstat(fd).st_mode):
            return None
        parts, left = [], min(size, _FILE_MAX) + 1
        while left > 0:
            part = system.read(fd, left)
            if not part:
                return b"".join(parts)
            parts.append(part)
            left -= len(part)
        return None  # the file grows, or is too long
    finally:
        system.close(fd)


def _decoded(data, numbers):
    """Return the lines `numbers` of a source file: a dict, keyed by number.

    data: the bytes of the file.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    encoding = _encoding(lines)
    return {
        number: lines[number - 1].decode(encoding, "replace")
        for number in numbers
        if 0 < number <= len(lines)
    }


def _lines_of_file(path, numbers):
    """Return a dict that has the lines `numbers` of a file, keyed by number.

    Returns None if the file cannot be read, and {} if it is not a regular file or is too long.
    """
    try:
        info = system.stat(path)
        if not stat.S_ISREG(info.st_mode):
            return {}  # it may be a FIFO: opening it might disturb the process at the other end
        version = info.st_mtime_ns, info.st_size, info.st_ino
        known, lines = _remembered.get(path, (None, {}))
        if known != version:
            lines = {}
        if not all(number in lines for number in numbers):
            data = _read(path, info.st_size)
            if data is None:
                return {}
            lines = {**lines, **_decoded(data, numbers)}
            if len(_remembered) >= _FILES_REMEMBERED:
                _remembered.clear()
            _remembered[path] = version, lines
        return lines
    except OSError:
        return None


def _split(text, numbers):
    """Return the lines `numbers` of a text: a dict, keyed by number."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {number: lines[number - 1] for number in numbers if 0 < number <= len(lines)}


def _own_file(names):
    """Return the source file of the module with these globals; "" if it has none."""
    path = names.get("__file__")
    if type(path) is not str:
        return ""
    return path[:-1] if path.endswith((".pyc", ".pyo")) else path


def _is_own_file(name, path):
    """True if a file name means the file `path`.

    name: the file name in a code object, which may be relative. path: the file of the module.
    """
    if not name or _is_made_up(name):
        return False
    return name == path or (name[0] != "/" and path.endswith("/" + name))


def _is_made_up(name):
    """True for names such as <stdin>, which are not names of files."""
    return name.startswith("<") and name.endswith(">")


def _from_loader(names, numbers):
    """Return the lines `numbers` from a module's loader: a dict by number. May run any code."""
    spec = names.get("__spec__")
    loader = names.get("__loader__") or getattr(spec, "loader", None)
    get_source = getattr(loader, "get_source", None)
    if get_source is None:
        return {}
    text = get_source(getattr(spec, "name", None) or names.get("__name__"))
    return _split(text, numbers) if isinstance(text, str) else {}


def _from_lazy(name, names, numbers):
    """Return lines of the source that linecache would get from a lazy entry. May run any code.

    linecache makes such an entry for each file name in a traceback, with the loader of the module.
    For a made-up name such as <string>, this function returns {}, because the loader would return
    the source of the module's own file, which is wrong.
    """
    entry = _entry(vars(linecache).get("cache"), name)
    if entry is None or len(entry) != 1:
        return {}
    text = entry[0]()
    if not isinstance(text, str):
        return {}
    found, path = _split(text, numbers), _own_file(names)
    own = _lines_of_file(path, numbers) if path.startswith("/") else None
    if own is not None and found == {number: own[number] for number in numbers if number in own}:
        return {}
    return {} if found == attempt(lambda: _from_loader(names, numbers)) else found


def _found_lines(name, names, numbers):
    """Return a dict of source lines of a code object with this file name, keyed by number.

    names: the globals of the code object. A relative file name is used only if it means the file of
    the module. Other relative names may be made up, and the working directory may have changed. May
    block, and may run any code.
    """
    path, found = _own_file(names), None
    is_own = _is_own_file(name, path)
    if is_own or (_HAS_FROZEN_SOURCE and name.startswith("<frozen ")):
        found = _lines_of_file(path, numbers)
    elif name.startswith("/"):
        found = _lines_of_file(name, numbers)
    if found is None and is_own:
        found = _from_loader(names, numbers)
    return found or _from_lazy(name, names, numbers)


def _entry(cache, key):
    """Return an entry of linecache, or None."""
    entry = cache.get(key) if type(cache) is dict else None
    return entry if type(entry) is tuple else None


def _cached_line(code, number):
    """Return a line if the program itself has put it into linecache; otherwise None.

    The entry of such a line has no modification time. From Python 3.13 on, linecache also has the
    code of `python -c`.
    """
    cache, (file, _, qualname) = vars(linecache).get("cache"), names_of_code(code)
    entry = _entry(cache, file)
    if entry is None and file.startswith("<"):
        # The hash of a code object is made from the hash of its name.
        entry = _entry(cache, code) if type(code.co_name) is str else None
        if entry is None and qualname is not None:
            key = file, qualname, code.co_firstlineno
            entry = _entry(vars(linecache).get("_interactive_cache"), key)
    if entry is None or len(entry) != 4 or entry[1] is not None or type(entry[2]) is not list:
        return None
    lines = entry[2]
    line = lines[number - 1] if type(number) is int and 0 < number <= len(lines) else None
    return line if type(line) is str else None


def _may_have_source(name):
    """True if source may be found for this file name, so that it is worth starting a thread."""
    if not _is_made_up(name):
        return bool(name)
    if _entry(vars(linecache).get("cache"), name) is not None:
        return True
    return _HAS_FROZEN_SOURCE and name.startswith("<frozen ")


class Sources:
    """Source lines of frames. First want() all lines, then fetch() them, then use line()."""

    def __init__(self, deadline=None):
        self._deadline = deadline if deadline is not None else system.now() + BUDGET_MS / 1000
        self._wanted = {}  # {file name: (globals, list of line numbers)}
        self._seen, self._cached, self._items = set(), {}, {}

    def want(self, code, numbers, names):
        """Ask for lines of the source of a code object. names: its globals."""
        name = as_str(code.co_filename)
        for number in numbers:
            if type(number) is not int or (name, number) in self._seen:
                continue
            self._seen.add((name, number))
            line = _cached_line(code, number)
            if line is not None:
                self._cached[name, number] = line.rstrip("\r\n")
            elif type(names) is dict and _may_have_source(name):
                self._wanted.setdefault(name, (names, []))[1].append(number)

    def items(self):
        """Return items for the lines that were asked for. Call this only once."""
        for name, (names, numbers) in self._wanted.items():
            call = functools.partial(_found_lines, name, names, numbers)
            directory = name.rpartition("/")[0]
            self._items[name] = Item(("file", name), directory, call, self._deadline)
        return list(self._items.values())

    def fetch(self):
        """Get all lines that were asked for. Takes BUDGET_MS at most."""
        call_all(self.items())

    def line(self, name, number):
        """Return (text or None, status) of a line. The items must have been called."""
        line = self._cached.get((name, number))
        item = self._items.get(name)
        if line is None and item is not None:
            if item.status != "ok":
                return None, item.status
            line = (item.result or {}).get(number)
        return (line, "error" if line is None else "ok")
