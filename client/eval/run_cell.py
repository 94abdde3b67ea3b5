"""Runs the client's cells in the debuggee. cell.h describes the client's half.

The client sends this source to the server, which may be any classic RPyC server, and runs it with
the service's execute, in a namespace of its own: see sent_module.h, which describes `arguments` and
`value`. So this source works with Python 3.6, and imports only the standard library. While no cell
runs, this source changes nothing in the debuggee.
"""

import __future__

import ast
import builtins
import codeop
import contextlib
import gc
import importlib
import io
import itertools
import linecache
import pprint
import re
import sys
import threading
import time
import tokenize
import traceback
import warnings

namespace, write_out, write_err, read_line, tell_thread = arguments  # noqa: F821
cut_items, cut_text = 1000, 1 << 20

# ---- Output and input of cells -------------------------------------------------------------------


class Replaced:
    """Replaces a stream of sys while a cell runs.

    Calls by the cell go to the client: calls on the cell's thread, and calls by code that the
    cell awaits. Awaited code runs on the thread of an asyncio loop, where the context variable
    `awaited_by` has the cell's number. All other calls go to the stream that was in sys before.
    Cells of several clients may overlap and end in any order.
    """

    _pystuck_stream = True

    def __init__(self, name, number):
        self._name, self._number = name, number
        self._thread, self._before = None, getattr(sys, name)

    def begin(self):
        self._thread = threading.get_ident()
        setattr(sys, self._name, self)

    def end(self):
        """Restores the stream. If an exception interrupts this method, call it again."""
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self._outer())
        self._thread = None  # from now on, all calls go to self._before

    def _outer(self):
        """The stream that was in sys before this one. Skips streams of ended cells."""
        outer = self._before
        while getattr(type(outer), "_pystuck_stream", False) and outer._thread is None:
            outer = outer._before
        return outer

    def _is_on_the_cells_thread(self):
        return threading.get_ident() == self._thread

    def _is_mine(self):
        return self._is_on_the_cells_thread() or (
            self._thread is not None and awaited_by is not None and awaited_by.get() == self._number
        )

    def close(self):
        if not self._is_mine():  # the client's stream stays open: exit() closes sys.stdin
            self._before.close()

    def isatty(self):
        return not self._is_mine() and self._before.isatty()

    def __getattr__(self, name):
        if name == "buffer" and self._is_mine():
            raise AttributeError("the client's sys." + self._name + " has no buffer")
        return getattr(self._before, name)


class Stream(Replaced):
    """sys.stdout or sys.stderr. Sends each line to the client once it is complete."""

    def __init__(self, name, number, send):
        super().__init__(name, number)
        self._send, self._pending, self._length = send, [], 0

    def end(self):
        try:
            self._send_pending()
        finally:
            super().end()

    def write(self, text):
        if not self._is_mine():
            # _before is None if the program has no such stream. In this case, nothing is
            # written: print() also writes nothing if sys.stdout is None.
            return None if self._before is None else self._before.write(text)
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        self._pending.append(text)
        self._length += len(text)
        if "\n" in text or self._length > 8192:
            self._pass_on()
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        if self._is_mine():
            self._pass_on()
        elif self._before is not None:
            self._before.flush()

    def _pass_on(self):
        if self._is_on_the_cells_thread():
            self._send_pending()
            return
        wake.set()
        while self._length > cut_text and self._is_mine():
            time.sleep(0.01)  # until the cell's thread has sent it

    def _send_pending(self):
        texts = self._pending[:]  # code that is awaited may append more at the same time
        del self._pending[: len(texts)]
        self._length = 0
        if texts:
            self._send(sendable("".join(texts)))


class Input(Replaced):
    """sys.stdin."""

    def readline(self, size=-1):
        if not self._is_mine():
            return self._before.readline(size)
        here = self._is_on_the_cells_thread()
        line, unread[0] = unread[0] or (read_line() if here else read_elsewhere()), ""
        if line is None:
            raise KeyboardInterrupt
        if size is not None and 0 <= size < len(line):
            line, unread[0] = line[:size], line[size:]
        return line

    def read(self, size=-1):
        if not self._is_mine():
            return self._before.read(size)
        if size is None or size < 0:
            return "".join(self)
        text = line = self.readline(size)
        while line and len(text) < size:
            line = self.readline(size - len(text))
            text += line
        return text

    def readlines(self, hint=-1):
        return list(self) if self._is_mine() else self._before.readlines(hint)

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def fileno(self):
        if self._is_mine():
            raise OSError("the client's standard input has no file descriptor in this process")
        return self._before.fileno()


def read_elsewhere():
    """Reads a line from the client, for code that the cell awaits on the loop's thread.

    Only the cell's thread may talk to the client, so the loop's thread waits until the cell's
    thread has read the line.
    """
    lines, there = [], threading.Event()
    questions.append((lines, there))
    wake.set()
    there.wait()
    return lines[0] if lines else None


def wait_for_client(function):
    """Removes the time limit of requests to the client.

    input() waits until the user has typed a line, and print() until the client has printed.
    function: a netref to a function of the client.
    """
    with contextlib.suppress(Exception):  # other servers may not have this attribute
        function.____conn__._config["sync_request_timeout"] = None


# ---- Values and exceptions as text ---------------------------------------------------------------


def sendable(text):
    """Returns the text with escapes for lone surrogates, because RPyC cannot send them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shortened(value):
    """Returns (value, ""); for a large container, (its first items, a note on its length)."""
    if type(value) not in (list, tuple, set, frozenset, dict) or len(value) <= cut_items:
        return value, ""
    items = value.items() if type(value) is dict else value
    return type(value)(itertools.islice(items, cut_items)), f"\n... ({len(value)} items)"


def shown(value, width):
    try:
        if type(value) in (str, bytes, bytearray) and len(value) > cut_text:
            text, rest = repr(value[:cut_text]), f"... ({len(value)} in all)"
        else:
            value, rest = shortened(value)
            text = pprint.pformat(value, width=width)
        text = text if isinstance(text, str) else str(text)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        plain, why = object.__repr__(value), type(error).__name__
        text, rest = f"{plain} (its repr raised {why})", ""
    if len(text) > cut_text:
        text, rest = text[:cut_text], rest or f"... ({len(text)} characters)"
    return sendable(text + rest)


def codes_within(code):
    """The code objects of a function and of all functions and classes inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, type(code)):
            yield from codes_within(const)


def next_not_ours(tb):
    while tb is not None and tb.tb_frame.f_code in our_codes:
        tb = tb.tb_next
    return tb


def without_ours(tb):
    """The traceback, without frames of this file."""
    entry = first = next_not_ours(tb)
    while entry is not None:
        later = next_not_ours(entry.tb_next)
        if later is not entry.tb_next:
            try:
                entry.tb_next = later
            except AttributeError:  # Python 3.6 can only drop entries at the beginning
                break
        entry = later
    return first


def cut_in_the_middle(text):
    if len(text) <= cut_text:
        return text
    half = cut_text // 2
    left_out = f"\n... ({len(text) - 2 * half} characters left out)\n"
    return text[:half] + left_out + text[-half:]


class SourcesShown:
    """A context manager: inside it, linecache knows the source of the cells."""

    def __enter__(self):
        self._before = {name: linecache.cache.get(name) for name in sources}
        for name, source in sources.items():
            # The traceback module requires a newline after each line, also after the last one.
            # str.splitlines would split at more characters than Python does.
            lines = io.StringIO(source + "\n", None).readlines()
            linecache.cache[name] = (len(source), None, lines, name)

    def __exit__(self, *exc_info):
        for name, entry in self._before.items():
            if entry is None:
                linecache.cache.pop(name, None)
            else:
                linecache.cache[name] = entry


def failure(error):
    """The traceback as text, with source lines of the cells."""
    try:
        with SourcesShown():
            error = error.with_traceback(without_ours(error.__traceback__))
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception as other:
        text = f"{type(error).__name__} (its traceback raised {type(other).__name__})\n"
    return sendable(cut_in_the_middle(text))


# ---- Cells with await ----------------------------------------------------------------------------


def running_loop():
    """Returns the asyncio loop that runs in this process. Prefers the loop of the main thread.

    Searches all objects that the garbage collector knows. Calls only methods of loops.
    """
    asyncio = sys.modules.get("asyncio")
    base = getattr(asyncio, "AbstractEventLoop", None)
    if base is None:
        return None
    # If a callback of an asyncio loop serves the client in this thread, `own` is this loop. The
    # cell blocks this loop, so this loop cannot run the cell's task.
    own = asyncio._get_running_loop()
    main = threading.main_thread().ident

    def rank(loop):  # uvloop has no _thread_id
        return {main: 0, None: 1}.get(getattr(loop, "_thread_id", None), 2)

    found = [thing for thing in gc.get_objects() if issubclass(type(thing), base)]
    running = [loop for loop in found if loop is not own and loop.is_running()]
    return min(running, key=rank, default=None)


class Awaited:
    """Code with await, run as a task of the program's asyncio loop.

    The cell's thread waits for the task and exchanges its output and input with the client, so
    that the loop is not blocked while the user reads or types.
    """

    def __init__(self, code, streams, number):
        self._code, self._streams, self._number = code, streams, number
        self._loop = running_loop()
        if self._loop is None:
            raise RuntimeError("no asyncio loop runs in this program")
        self._coroutine = self._task = self._outcome = None
        self._is_given_up = False

    def wait(self):
        """Waits for the task and returns its value.

        KeyboardInterrupt cancels the task. If the task then returns a value all the same,
        wait() returns that value.
        """
        context = contextvars.copy_context()
        context.run(awaited_by.set, self._number)
        try:
            try:
                self._loop.call_soon_threadsafe(self._start, context=context)
                self._wait_for_outcome()
            except KeyboardInterrupt:
                self._cancel()
                self._wait_for_outcome(1)
            except BaseException:
                self._cancel()
                raise
        finally:
            while questions:
                questions.pop()[1].set()
        if self._outcome is None:
            raise KeyboardInterrupt("the asyncio task did not end after it was cancelled")
        value, error = self._outcome
        if error is None:
            return value
        if self._is_given_up and isinstance(error, sys.modules["asyncio"].CancelledError):
            error = KeyboardInterrupt().with_traceback(error.__traceback__)
        raise error

    # _start() and _run() are called on the loop's thread.

    def _start(self):
        if not self._is_given_up:
            self._coroutine = self._run()
            self._task = self._loop.create_task(self._coroutine)

    async def _run(self):
        # A task that raises SystemExit or KeyboardInterrupt would end the loop.
        try:
            self._outcome = await eval(self._code, namespace), None
        except BaseException as error:
            self._outcome = None, error
        wake.set()

    # All methods below are called on the cell's thread.

    def _wait_for_outcome(self, seconds=None):
        until = seconds and time.monotonic() + seconds
        while self._outcome is None and not (until and time.monotonic() > until):
            if self._loop.is_closed():
                self._forget()
                raise RuntimeError("the asyncio loop was closed")
            # Waits only a short time, since KeyboardInterrupt is not raised while the thread
            # waits.
            wake.wait(0.05)
            wake.clear()
            self._talk_to_client()

    def _talk_to_client(self):
        for stream in self._streams[:2]:
            stream._pass_on()
        while questions:
            lines, there = questions.pop(0)
            try:
                lines.append(read_line())
            finally:
                there.set()

    def _forget(self):
        """Drops a task that cannot end any more, so that asyncio prints no warning about it."""
        if self._task is not None:
            self._task._log_destroy_pending = False
            self._coroutine.close()

    def _cancel(self):
        def cancel():
            if self._task is not None:
                self._task.cancel()

        self._is_given_up = True
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(cancel)


# ---- Cells ---------------------------------------------------------------------------------------


class Modules:
    """The modules of this process: modules["a.b"], modules.a.b."""

    def __getitem__(self, name):
        return importlib.import_module(".".join(name) if isinstance(name, tuple) else name)

    def __getattr__(self, name):
        try:
            return importlib.import_module(name)
        except ImportError:
            raise AttributeError("there is no module " + repr(name)) from None

    def __contains__(self, name):
        try:
            self[name]
        except ImportError:
            return False
        return True

    def __dir__(self):
        return sorted(name for name in sys.modules if "." not in name)

    def __repr__(self):
        return "<the modules of this process; use modules['os'] or modules.os to get a module>"


def remember(number, value):
    """Adds a value to Out and assigns it to _. First moves the values: __ to ___, and _ to __.

    If the user has assigned to one of these three names, all three are left unchanged.
    """
    names["Out"][number] = value
    names["___"], names["__"], names["_"] = names["__"], names["_"], value
    if all(namespace.get(name, mine) is mine for name, mine in latest.items()):
        latest.update({name: names[name] for name in latest})
        namespace.update(latest)
    namespace[f"_{number}"] = value


def compiled(source, filename):
    """Yields (code, whether it has a value, whether the value is hidden) for each statement."""
    try:
        tree = ast.parse(source, filename)
    except SyntaxError as error:
        raise error.with_traceback(None) from None  # without frames of the parser
    quiet = quiet_lines(source)
    for node in tree.body:
        has_value = isinstance(node, ast.Expr)
        if has_value:
            part = ast.Expression(node.value)
        else:
            part = ast.parse("")
            part.body = [node]
        mode = "eval" if has_value else "exec"
        code = compile(part, filename, mode, flags[0] | allow_await, True)
        flags[0] |= code.co_flags & future_flags
        yield code, has_value, node.lineno in quiet


def quiet_lines(source):
    """The line numbers of statements that end with a semicolon. Their values are hidden."""
    lines, first, last = set(), 0, ""
    for token in tokenize.generate_tokens(io.StringIO(source, None).readline):
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if last == ";":
                lines.update(range(first, token.start[0] + 1))
            first, last = 0, ""
        elif token.type not in (tokenize.COMMENT, tokenize.NL) and token.string.strip():
            first, last = first or token.start[0], token.string
    return lines


def cleaned(source):
    """Removes what may be pasted with code: prompts (>>>, In [1]:) and common indentation."""
    lines = source.split("\n")
    if re.match(r"\s*(>>> |In \[\d+\]: )", lines[0]):
        lines = [re.sub(r"^\s*(>>>|\.\.\.:?|In \[\d+\]:) ?", "", line) for line in lines]
    first = next((line for line in lines if line.strip()), "")
    indent = len(first) - len(first.lstrip(" \t"))
    return "\n".join(line[indent * line.startswith(first[:indent]) :] for line in lines)


def is_incomplete(source):
    """Whether the user must type more: a bracket or string is open, or a block is not finished.

    An empty line finishes a block.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            command = codeop.CommandCompiler()
            command.compiler.flags |= allow_await
            if command(source, "<cell>", "exec") is None:
                return True
            tree = ast.parse(source)
    except (SyntaxError, ValueError, OverflowError):
        return False
    is_block = bool(tree.body) and hasattr(tree.body[-1], "body")
    return is_block and bool(source.rpartition("\n")[2].strip())


def run(number, source, width, mode):
    """Runs a cell. Returns (True if it raised no exception, the text to show or None).

    mode: "each" prints the value of each expression statement; "last" returns the value of the
    last statement as the text; "typed" is like "last", but if the user must type more, run()
    runs nothing and returns (None, None).
    """
    source = without_mark(source)
    source = source if mode == "each" else cleaned(source)
    if mode == "typed" and is_incomplete(source):
        return None, None
    filename = f"<cell {number}>"
    every = mode == "each"
    enter(source, filename, source)
    return interruptibly(
        number,
        lambda streams: (True, evaluate(streams, number, source, filename, width, every)),
    )


def without_mark(source):
    """Removes the byte order mark that some editors write at the start of a file."""
    return source[source.startswith("\ufeff") :]


def enter(typed, filename, source):
    """Adds a cell to In, and adds its source to the sources that tracebacks show."""
    names["In"].append(typed)
    sources[filename] = source


def tell():
    """Sends the ident of this thread to the client, unless this ident was sent last."""
    if threading.get_ident() != told[0]:
        told[0] = threading.get_ident()
        tell_thread(told[0])


def replaced_streams(number):
    return (
        Stream("stdout", number, write_out),
        Stream("stderr", number, write_err),
        Input("stdin", number),
    )


def interruptibly(number, function, streams=()):
    """Calls function(streams) with sys.stdout, sys.stderr and sys.stdin connected to the
    client.

    The client can interrupt the function. Returns what the function returns: (whether it has
    succeeded, the text to show or None). If the function raises an exception, returns (False,
    the traceback as text).
    """
    tell()
    streams = streams or replaced_streams(number)
    try:
        return _pystuck_cell(streams, function)
    except KeyboardInterrupt as error:  # Ctrl-C arrived when the cell had just ended
        return False, failure(error)
    finally:
        for stream in streams:
            stream.end()


# To interrupt a cell, the client looks for the frame of a function with this name.
def _pystuck_cell(streams, function):
    try:
        for stream in streams:
            stream.begin()
        return function(streams)
    except BaseException as error:
        return False, failure(error)
    finally:
        for stream in streams:
            stream.end()


# ---- Chains: expressions that the client evaluates with netrefs ----------------------------------


class Chain:
    """Ends the streams of a chain when the client releases this object or disconnects."""

    def __init__(self, streams):
        self._streams = streams

    def __del__(self):
        for stream in self._streams:
            with contextlib.suppress(BaseException):
                stream.end()


def begin_chain(number):
    """Connects the streams of this thread to the client, for the calls of a chain."""
    tell()
    streams = chain_streams[:] = replaced_streams(number)
    for stream in streams:
        stream.begin()
    return Chain(streams)


def end_chain(number, source, width, is_quiet, value):
    """Stores the value of a chain like the value of a cell. Returns the same as run()."""
    names["In"].append(source)
    streams, chain_streams[:] = chain_streams[:], ()
    return interruptibly(
        number, lambda streams: (True, result(number, value, is_quiet, width)), streams
    )


def fail_chain(source):
    """Ends a chain that has raised an exception."""
    names["In"].append(source)
    streams, chain_streams[:] = chain_streams[:], ()
    for stream in streams:
        stream.end()


def evaluate(streams, number, source, filename, width, every):
    codes = list(compiled(source, filename))
    value, is_quiet = execute(streams, number, codes, width, every)
    return None if every else result(number, value, is_quiet, width)


def execute(streams, number, codes, width, every):
    """Runs the code of a cell. Returns the cell's value, and whether the value is hidden."""
    value, has_value, is_quiet = None, False, False
    for code, has_value, is_quiet in codes:
        if code.co_flags & is_coroutine:
            value = Awaited(code, streams, number).wait()
        else:
            value = eval(code, namespace)
        if every and has_value and value is not None:
            remember(number, value)
            if not is_quiet:
                print(shown(value, width))
    return value if has_value else None, is_quiet


def result(number, value, is_quiet, width):
    """Stores a cell's value. Returns the text to show, or None."""
    if value is None:
        return None
    remember(number, value)
    return None if is_quiet else shown(value, width)


# Python 3.6 and 3.7 allow no await outside of functions: 3.6 has no contextvars, and neither
# version has PyCF_ALLOW_TOP_LEVEL_AWAIT.
try:
    import contextvars

    awaited_by = contextvars.ContextVar("pystuck_cell", default=None)
    allow_await = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
except (ImportError, AttributeError):
    awaited_by, allow_await = None, 0
is_coroutine = allow_await and 0x80  # CO_COROUTINE
wake, questions = threading.Event(), []

future_flags = 0
for feature in __future__.all_feature_names:
    future_flags |= getattr(__future__, feature).compiler_flag
our_codes = set(codes_within(sys._getframe().f_code))
sources, told, flags, unread, chain_streams = {}, [threading.get_ident()], [0], [""], []
latest = {"_": "", "__": "", "___": ""}
names = {"In": [], "Out": {}, **latest}
namespace.setdefault("__name__", "__main__")
namespace.setdefault("__builtins__", builtins)
namespace.update(names, modules=Modules())
wait_for_client(write_out)
# completion.py and inspection.py use the following attributes of `run`.
run.namespace, run.modules_type = namespace, Modules
run.shown, run.failure, run.sendable = shown, failure, sendable
run.given, run.shortened, run.sources = dict(namespace), shortened, sources
run.interruptibly, run.enter, run.without_mark = interruptibly, enter, without_mark
run.compiled, run.execute, run.result = compiled, execute, result
run.our_codes, run.codes_within, run.SourcesShown = our_codes, codes_within, SourcesShown
run.future_flags = future_flags
value = run, told[0], namespace, begin_chain, end_chain, fail_chain
