"""Inspects objects and frames in the debuggee, for `x?` and for magics such as %thread.

The client sends this source in the same way as run_cell.py. This source works with Python 3.6, and
imports only the standard library.
"""

import ast
import functools
import inspect
import linecache
import os
import sys
import textwrap
import time
import types

_, run, collector = arguments  # noqa: F821
namespace = run.namespace
around = 5  # how many source lines are shown above and below the current line of a frame
# How many lines and characters of a local variable are shown, and how many variables %frame
# shows.
most_lines, most_text, most_locals = 10, 2000, 20
heap_type = 1 << 9  # the bit of __flags__ for classes that are not built in


class Refused(Exception):
    """Raised if a command cannot be carried out. The text is one line for the user."""


def guarded(function, otherwise):
    """Calls function, which may run the program's code. If function raises, calls otherwise."""
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return otherwise()


class Cell:
    """A call of the Inspector. After begin(), the call counts as a cell and has a number."""

    def __init__(self, number, width):
        self.number, self.width, self.begun = number, width, False
        self.streams = ()
        self.filename = f"<cell {number}>"

    def begin(self, typed, filename="", source=""):
        self.begun = True
        self.filename = filename or self.filename
        run.enter(typed, self.filename, source)

    def result(self, value, is_quiet=False):
        return run.result(self.number, value, is_quiet, self.width)


# ---- Source --------------------------------------------------------------------------------------


def lines_of(filename, names):
    """The lines of a file or a cell; an empty list if they cannot be read."""

    def lines():
        linecache.checkcache(filename)
        return linecache.getlines(filename, names)

    with run.SourcesShown():
        return guarded(lines, list)


def file_of(code, names):
    """The source file of a code object. Finds it for Python's frozen modules, too."""
    is_frozen = code.co_filename.startswith("<frozen ") and names is not None
    return is_frozen and names.get("__file__") or code.co_filename


def without_wrapping(thing):
    """The function inside a method, a property, a partial or a decorated function."""
    while True:
        if isinstance(thing, (types.MethodType, classmethod, staticmethod)):
            thing = thing.__func__
        elif isinstance(thing, property):
            thing = thing.fget
        elif isinstance(thing, functools.partial):
            thing = thing.func
        elif not isinstance(thing, type) and isinstance(
            inspect.getattr_static(thing, "__wrapped__", None), types.FunctionType
        ):
            thing = thing.__wrapped__
        else:
            return thing


def code_of(thing):
    """The code object of a function, a frame, a generator and so on; or None."""
    if isinstance(thing, types.TracebackType):
        thing = thing.tb_frame
    kinds = (
        (types.FunctionType, "__code__"),
        (types.FrameType, "f_code"),
        (types.GeneratorType, "gi_code"),
        (types.CoroutineType, "cr_code"),
        (types.AsyncGeneratorType, "ag_code"),
    )
    for kind, name in kinds:
        if isinstance(thing, kind):
            return getattr(thing, name)
    return thing if isinstance(thing, types.CodeType) else None


def names_of(thing):
    """The globals of a frame or function, or None. linecache needs them to find some files."""
    if isinstance(thing, types.TracebackType):
        thing = thing.tb_frame
    if isinstance(thing, types.FrameType):
        return thing.f_globals
    if isinstance(thing, types.FunctionType):
        return thing.__globals__
    return None


def first_line_of(node):
    return min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])


def class_lines(lines, qualname):
    """The numbers of the lines at which classes with this name begin."""
    nodes = [(guarded(lambda: ast.parse("".join(lines)), lambda: ast.parse("")), "")]
    found = []
    while nodes:
        node, path = nodes.pop()
        for child in ast.iter_child_nodes(node):
            inner = path
            if isinstance(child, ast.ClassDef):
                inner += child.name + "."
                if inner == qualname + ".":
                    found.append(first_line_of(child))
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inner += child.name + ".<locals>."
            nodes.append((child, inner))
    return sorted(found)


def methods_of(cls):
    """The methods that were defined in the class body, not functions assigned later."""
    for thing in dict(vars(cls)).values():
        function = without_wrapping(thing)
        if isinstance(function, types.FunctionType) and function.__qualname__.startswith(
            cls.__qualname__ + "."
        ):
            yield function


def is_in_module(cls):
    thing = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        thing = getattr(thing, name, None)
    return thing is cls


def class_files(cls):
    """The files that may have the source of a class, the most likely first."""
    for function in methods_of(cls):
        yield file_of(function.__code__, function.__globals__)
    if cls.__module__ == namespace["__name__"] and not is_in_module(cls):
        yield from reversed(list(run.sources))
    module = sys.modules.get(cls.__module__)
    if getattr(module, "__file__", None):
        yield module.__file__


def class_place(cls):
    """Returns (file, its lines, number of the line at which the class begins), or None."""
    names = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else None
    starts = [function.__code__.co_firstlineno for function in methods_of(cls)]
    for filename in dict.fromkeys(class_files(cls)):
        lines = lines_of(filename, names)
        found = class_lines(lines, cls.__qualname__)
        before = [line for line in found if not starts or line <= min(starts)]
        if found:
            return filename, lines, (before or found)[-1]
    return None


def is_built_in(thing):
    if isinstance(thing, types.ModuleType):
        return not getattr(thing, "__file__", "").endswith((".py", ".pyc"))
    cls = thing if isinstance(thing, type) else type(thing)
    return code_of(thing) is None and not cls.__flags__ & heap_type


def place_of(thing):
    """Returns (file, its lines, number of thing's first line; 0 if thing is the whole file)."""
    thing = without_wrapping(thing)
    if is_built_in(thing):
        return getattr(thing, "__file__", None), [], 0
    if isinstance(thing, types.ModuleType):
        return thing.__file__, lines_of(thing.__file__, vars(thing)), 0
    code = code_of(thing)
    if code is None:
        cls = thing if isinstance(thing, type) else type(thing)
        module = sys.modules.get(cls.__module__)
        return class_place(cls) or (getattr(module, "__file__", None), [], 0)
    names = names_of(thing)
    filename = file_of(code, names)
    first = 0 if code.co_name == "<module>" else code.co_firstlineno
    return filename, lines_of(filename, names), first


def source_of(thing):
    _, lines, first = place_of(thing)
    if first:
        lines = inspect.getblock(lines[first - 1 :])
    if lines:
        return textwrap.dedent("".join(lines)).rstrip("\n")
    return "none (built in)" if is_built_in(without_wrapping(thing)) else "not available"


# ---- Objects -------------------------------------------------------------------------------------


def found(text):
    """The value of an expression. Raises Refused if a name in it does not exist."""
    missing = f"Object `{text}` not found."
    try:
        code = compile(text, "<object>", "eval", 0, True)
    except (SyntaxError, ValueError):
        raise Refused(missing) from None
    try:
        return eval(code, namespace)
    except (AttributeError, ImportError, LookupError, NameError) as error:
        if is_raised_by_itself(error):
            raise Refused(missing) from None
        raise


def is_raised_by_itself(error):
    """True if the expression itself raised the error, and not a function that it called."""
    traced = error.__traceback__.tb_next.tb_next
    while traced is not None:
        frame = traced.tb_frame
        module = str(frame.f_globals.get("__name__")).partition(".")[0]
        is_ours = frame.f_code in run.our_codes  # a method of `modules`
        if not is_ours and module not in ("importlib", "_frozen_importlib"):
            return False
        traced = traced.tb_next
    return True


def signature_of(thing):
    """The signature, with annotations as they were written."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(thing, annotation_format=annotationlib.Format.STRING)
    return inspect.signature(thing)


def parameter_rows(signature):
    kinds, before, starred = inspect.Parameter, None, False
    for parameter in signature.parameters.values():
        kind = parameter.kind
        if before == kinds.POSITIONAL_ONLY != kind:
            yield "/"
        if kind == kinds.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or kind in (kinds.VAR_POSITIONAL, kinds.KEYWORD_ONLY)
        yield str(parameter)
        before = kind
    if before == kinds.POSITIONAL_ONLY:
        yield "/"


def call_of(text, thing, width):
    """A call signature. If it is too long for one line, each parameter has its own line."""
    signature = signature_of(thing)
    if not isinstance(ast.parse(text, mode="eval").body, (ast.Name, ast.Attribute)):
        text = getattr(thing, "__qualname__", type(thing).__name__)
    line = text + str(signature)
    if len(line) + len("Init signature: ") <= width:
        return line
    rows = "".join(f"    {row},\n" for row in parameter_rows(signature))
    return f"{text}(\n{rows}" + str(signature.replace(parameters=[]))[1:]


def string_form(thing, limit):
    def plain():
        return f"{object.__repr__(thing)} (its __str__ raised an exception)"

    if type(thing) in (str, bytes, bytearray):
        value, rest = thing[:limit], "" if len(thing) <= limit else " <...>"
        return (value if type(thing) is str else repr(value)) + rest
    value, rest = run.shortened(thing)
    text = guarded(lambda: str(value), plain)
    if len(text) <= limit:
        return text + rest
    return text[: limit // 2] + " <...> " + text[-limit // 2 :] + rest


def docstring(thing):
    text = inspect.getdoc(thing)
    return text if isinstance(text, str) and text.strip() else "<no docstring>"


def init_docstring(cls):
    init = cls.__init__
    if init is object.__init__ or not isinstance(init, types.FunctionType):
        return None
    return inspect.cleandoc(init.__doc__)


def fields_of(text, thing, with_source, width):
    """A list of (title, function that returns the text), in IPython's order."""
    limit = 1 << 20 if with_source else 200
    source = [("Source", lambda: source_of(thing))] if with_source else []
    doc = ("Docstring", lambda: docstring(thing))
    file = ("File", lambda: place_of(thing)[0])
    kind = ("Type", lambda: type(thing).__name__)
    form = ("String form", lambda: string_form(thing, limit))
    if isinstance(thing, type):
        init = ("Init docstring", lambda: init_docstring(thing))
        signature = ("Init signature", lambda: call_of(text, thing, width))
        return [signature, doc, *source, init, file, kind, form]
    if inspect.isroutine(thing):
        signature = ("Signature", lambda: call_of(text, thing, width))
        return [signature, doc, *source, file, kind, form]
    signature = ("Call signature", lambda: call_of(text, thing, width))
    length = ("Length", lambda: str(len(thing)))
    return [signature, kind, form, length, file, doc, *source]


def laid_out(fields):
    """The fields as text. A text of one line follows its title, a longer text is below it."""
    wide = max(len(title) for title, _ in fields) + 2
    return "\n".join(
        f"{title}:\n{text}" if "\n" in text else f"{title + ':':<{wide}}{text}"
        for title, text in fields
    )


def described(text, with_source, width):
    thing = found(text)
    gathered = [
        (title, guarded(get, lambda: None))
        for title, get in fields_of(text, thing, with_source, width)
    ]
    return laid_out([(title, field) for title, field in gathered if isinstance(field, str)])


# ---- Threads and frames --------------------------------------------------------------------------

stacks = {"__name__": "_pystuck_stacks"}
eval(compile(collector, "<pystuck collector>", "exec"), stacks)
stacks["_HAS_FROZEN_SOURCE"] = True  # show the source of frozen modules before Python 3.14, too
threads, titles = stacks["threads"], stacks["titles"]


def calls_from(frame):
    """The frame, the frame that called it, and so on up to the outermost frame."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def where(frame):
    code = frame.f_code
    return f'File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}'


def fetched(wanted):
    """Fetches source lines. Returns an object with a method line(file, number).

    wanted: pairs of a frame and line numbers. If reading a file blocks, the lines of this file
    are missing: see the collector.
    """
    sources = stacks["Sources"]()
    with run.SourcesShown():
        for frame, numbers in wanted:
            sources.want(frame.f_code, numbers, frame.f_globals)
        sources.fetch()
    return sources


def call(number, frame, sources):
    line = (sources.line(frame.f_code.co_filename, frame.f_lineno)[0] or "").strip()
    return f"{number:>4}  {where(frame)}\n" + (f"        {line}\n" if line else "")


def source_around(frame):
    """The source lines around the current line of a frame. An arrow marks the current line."""
    name, at = frame.f_code.co_filename, frame.f_lineno or 0
    numbers = range(max(1, at - around), at + around + 1)
    sources = fetched([(frame, numbers)])
    lines = {number: sources.line(name, number)[0] for number in numbers}
    if lines.get(at) is None:
        return "      (the source of this frame is not available)\n"
    numbers = [number for number in numbers if lines[number] is not None]
    return "".join(
        "{} {}".format(
            f"{'-' * (5 - len(str(number)))}> {number}" if number == at else f"{number:>7}",
            lines[number].rstrip("\r\n"),
        ).rstrip()
        + "\n"
        for number in numbers
    )


def locals_of(frame):
    """The locals of a frame. Leaves out names such as __file__ if the frame belongs to a
    module.
    """
    names = dict(frame.f_locals)
    if frame.f_locals is frame.f_globals:
        names = {name: names[name] for name in names if not str(name).startswith("__")}
    return names


def shown_local(name, value, width):
    text = run.shown(value, max(20, width - len(name) - 3))
    lines = text[:most_text].split("\n")
    if len(lines) > most_lines or len(text) > most_text:
        lines = [*lines[:most_lines], "..."]
    indent = "\n" + " " * (len(name) + 3)
    return f"{name} = {indent.join(lines)}\n"


def shown_locals(frame, width, most=None):
    names = locals_of(frame)
    chosen = list(names)[:most]
    text = "".join(shown_local(str(name), names[name], width) for name in chosen)
    if len(chosen) < len(names):
        text += f"... ({len(names) - len(chosen)} more: %locals shows them)\n"
    return text or "(no locals)\n"


class Selected:
    """The thread that %thread N selected, with its stack at that time."""

    def __init__(self, ident, title, frame):
        self.ident, self.title, self.at = ident, title, 0
        self._calls = [(each, each.f_lasti) for each in calls_from(frame)]

    def frame(self):
        return self._calls[self.at][0]

    def __len__(self):
        return len(self._calls)

    def stack(self):
        calls = [(number, frame) for number, (frame, _) in enumerate(self._calls)][::-1]
        sources = fetched([(frame, (frame.f_lineno,)) for _, frame in calls])
        return self.title + "\n" + "".join(call(*each, sources) for each in calls)

    def changes(self):
        """A line that says how the frame has changed since %thread; "" if it is unchanged."""
        frame, before = self._calls[self.at]
        innermost = {ident: each for ident, _, each in threads()}.get(self.ident)
        if innermost is None:
            return "(the thread has ended)\n"
        if not [each for each in calls_from(innermost) if each is frame]:
            return f"(this call has ended: type %thread {self.ident} for the current stack)\n"
        if frame.f_lasti != before:
            return (
                "(this frame has continued to run: "
                f"type %thread {self.ident} for the current stack)\n"
            )
        return ""

    def view(self, width):
        frame = self.frame()
        head = f"> {self.at}  {where(frame)}\n"
        return head + source_around(frame) + shown_locals(frame, width, most_locals)


def number_in(text):
    return int(text) if text and set(text) <= set("0123456789") else None


# ---- Time ----------------------------------------------------------------------------------------


def processor_time():
    """CPU seconds of this thread in user mode and in system mode."""
    try:
        import resource

        usage = resource.getrusage(resource.RUSAGE_THREAD)
    except (ImportError, AttributeError):
        return os.times()[:2]
    return usage.ru_utime, usage.ru_stime


def duration(seconds):
    """A duration with three digits and a unit; from one minute on, like 1h 2min 3s."""
    if seconds >= 60:
        parts, rest = [], int(seconds)
        for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
            count, rest = rest // size, rest % size
            if count:
                parts.append(f"{count}{unit}")
        return " ".join(parts)
    for unit, size in (("s", 1), ("ms", 1e-3), ("\xb5s", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{max(seconds, 0) / 1e-9:.3g} ns"


# ---- Files ---------------------------------------------------------------------------------------


class Script:
    """Sets sys.argv and __file__ while a file is run as a script."""

    def __init__(self, argv):
        self._argv = argv

    def __enter__(self):
        self._before, self._file = getattr(sys, "argv", None), namespace.get("__file__")
        sys.argv, namespace["__file__"] = self._argv, self._argv[0]

    def __exit__(self, *error):
        if getattr(sys, "argv", None) is not self._argv:
            # Another client's script began after this script. When the later script ends, it
            # sets sys.argv to self._argv. So this list gets the arguments from before this
            # script.
            self._argv[:] = self._before or ()
        sys.argv, namespace["__file__"] = self._before, self._file
        if self._before is None:
            del sys.argv
        if self._file is None:
            del namespace["__file__"]


# ---- The interface to the client -----------------------------------------------------------------


class Inspector:
    """The object that the client calls.

    This object is not in a reference cycle. So when the client releases its reference to the
    object, the frames of the selected thread are released as well.
    """

    def __init__(self):
        self._selected, self._listed = None, []

    def __call__(self, what, number, width, argument, source):
        """Calls the method do_WHAT.

        Returns (whether the call counts as a cell, whether it has succeeded, the text to show
        or None).
        """
        cell = Cell(number, width)

        def act(streams):
            cell.streams = streams
            try:
                return True, getattr(self, "do_" + what)(cell, argument, source)
            except Refused as error:
                return False, str(error)

        ok, text = run.interruptibly(number, act)
        return cell.begun, ok, None if text is None else run.sendable(text)

    # Arguments of each do_ method: the cell, the argument of the magic, and for %run the text
    # of the file.

    def do_object(self, cell, argument, source):
        return described(argument, False, cell.width)

    def do_source(self, cell, argument, source):
        return described(argument, True, cell.width)

    def do_who(self, cell, argument, source):
        missing = object()
        names = [
            name
            for name, value in dict(namespace).items()
            if not name.startswith("_") and run.given.get(name, missing) is not value
        ]
        if not names:
            return "Interactive namespace is empty."
        return textwrap.fill("  ".join(sorted(names)), cell.width, break_long_words=False)

    def do_time(self, cell, argument, source):
        if not argument:
            raise Refused("%time needs code: %time CODE")
        cell.begin(argument, source=argument)
        codes = list(run.compiled(argument, cell.filename))
        before, wall = processor_time(), time.perf_counter()
        value, is_quiet = run.execute(cell.streams, cell.number, codes, cell.width, False)
        wall, after = time.perf_counter() - wall, processor_time()
        user, system = after[0] - before[0], after[1] - before[1]
        print(
            f"CPU times: user {duration(user)}, sys: {duration(system)},"
            f" total: {duration(user + system)}\nWall time: {duration(wall)}"
        )
        return cell.result(value, is_quiet)

    def do_run(self, cell, argument, source):
        argv = ast.literal_eval(argument)
        source = run.without_mark(source)
        cell.begin("%run " + " ".join(argv), argv[0], source)
        try:
            with Script(argv):
                eval(compile(source, argv[0], "exec", 0, True), namespace)
        except SystemExit as error:
            if error.code not in (None, 0):
                raise

    def _list(self):
        """(ident, title, current line) of each thread, the main thread first."""
        found = threads()
        places = {ident: where(frame) for ident, _, frame in found}
        found, alive = [each[:2] for each in found], set(stacks["alive"]())
        names = titles([each for each in found if each[0] in alive])
        listed = [(ident, names[ident], places[ident]) for ident in names]
        self._listed = [ident for ident, _, _ in listed]
        return listed

    def do_thread(self, cell, argument, source):
        if argument:
            return self._select(argument)
        selected = self._selected.ident if self._selected else None
        return "".join(
            f"{'*' if ident == selected else '':>2}{number:>3}  {title}\n         {place}\n"
            for number, (ident, title, place) in enumerate(self._list())
        )

    def _select(self, argument):
        number = number_in(argument)
        if number is None:
            raise Refused(
                f"invalid thread '{argument}': expected a number or ident that %thread lists"
            )
        if not self._listed:
            self._list()
        is_listed = number < len(self._listed)
        ident = self._listed[number] if is_listed else number
        for each, thread, frame in threads():
            if each == ident:
                self._selected = Selected(ident, titles([(ident, thread)])[ident], frame)
                return self._selected.stack()
        if ident in stacks["known_threads"]():
            raise Refused(f"thread {number} has no Python frame")
        if is_listed:
            raise Refused(f"thread {number} has ended: type %thread for a new list")
        raise Refused(f"there is no thread {number}: type %thread for a list")

    def _need(self):
        if self._selected is None:
            raise Refused(
                "no thread is selected: %thread lists the threads, %thread N selects a thread"
            )
        return self._selected

    def _show(self, cell, typed, number):
        selected = self._need()
        cell.begin(typed)
        selected.at = number
        print(selected.changes() + selected.view(cell.width), end="")
        return cell.result(selected.frame())

    def do_frame(self, cell, argument, source):
        selected = self._need()
        number = number_in(argument) if argument else selected.at
        if number is None:
            raise Refused(
                f"invalid frame '{argument}': expected a number from 0 to {len(selected) - 1}"
            )
        if number >= len(selected):
            raise Refused(f"there is no frame {number}: the last frame is {len(selected) - 1}")
        return self._show(cell, f"%frame {number}", number)

    def do_up(self, cell, argument, source):
        selected = self._need()
        if selected.at + 1 == len(selected):
            raise Refused("cannot go up: this is the outermost frame")
        return self._show(cell, "%up", selected.at + 1)

    def do_down(self, cell, argument, source):
        selected = self._need()
        if selected.at == 0:
            raise Refused("cannot go down: this is the innermost frame")
        return self._show(cell, "%down", selected.at - 1)

    def do_locals(self, cell, argument, source):
        selected = self._need()
        return selected.changes() + shown_locals(selected.frame(), cell.width)

    def do_eval(self, cell, argument, source):
        selected = self._need()
        if not argument:
            raise Refused("%eval needs an expression: %eval EXPR")
        frame = selected.frame()
        cell.begin("%eval " + argument, source=argument)
        print(selected.changes(), end="")
        flags = frame.f_code.co_flags & run.future_flags
        code = compile(argument, cell.filename, "eval", flags, True)
        # Locals are passed as globals so that lambdas and comprehensions see them.
        scope = {**frame.f_globals, **frame.f_locals, "__builtins__": frame.f_builtins}
        return cell.result(eval(code, scope))


run.our_codes.update(run.codes_within(sys._getframe().f_code))
value = Inspector()
