"""Run a Python program with pystuck's server in it.

Name the program, and give its arguments, as for python itself.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import os
import pkgutil
import runpy
import sys
import textwrap
from types import ModuleType, TracebackType
from typing import Any, NoReturn

import pystuck
from pystuck import _environment, _server_options

_USAGE = """\
python -m pystuck [options] script.py [arguments]
       python -m pystuck [options] -m module [arguments]
       python -m pystuck [options] -c code [arguments]
       python -m pystuck --version
"""

_EPILOG = """\
Without --host, --port and --unix-socket, the server listens at the address in the environment
variable PYSTUCK. An option that is not on the command line can be set by its variable: {variables}.
"""

_WITH_VALUE = tuple(option.command for option in _server_options.COMMANDS if option.kind.metavar)


def _help(option: _server_options.Option) -> str:
    more = "; may be given several times" if option.kind.is_list else ""
    shown = f" (default: {option.default})" if option.default else ""
    return f"{option.help}{more}{shown}".replace("%", "%%")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pystuck",
        _USAGE,
        description=__doc__,
        epilog=_EPILOG.format(variables=", ".join(_server_options.VARIABLES)),
        allow_abbrev=False,  # _split() does not know abbreviations either
    )
    parser.add_argument("--version", action="version", version=f"pystuck {pystuck.__version__}")
    for option in _server_options.COMMANDS:
        how: dict[str, Any] = {"action": "store_const", "const": "1"}
        if option.kind.metavar:
            how = {
                "action": "append" if option.kind.is_list else "store",
                "metavar": option.kind.metavar,
            }
        parser.add_argument(option.command, dest=option.name, help=_help(option), **how)
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Divide the command line into the server's options and the program with its arguments.

    Returns two lists. The second list, for the program, begins with "-m", "-c", or "" for a script.
    argparse cannot divide the command line, because it would also look for the server's options
    among the program's arguments.
    """
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        if argument[:2] in ("-m", "-c"):
            attached = [argument[2:]] if argument[2:] else []
            return arguments[:at], [argument[:2], *attached, *arguments[at + 1 :]]
        if argument == "--":
            return arguments[:at], ["", *arguments[at + 1 :]]
        if not argument.startswith("-"):
            return arguments[:at], ["", *arguments[at:]]
        at += 2 if argument in _WITH_VALUE else 1
    return arguments, []


# ---- The server ----------------------------------------------------------------------------------


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of run_server that the command line sets.

    Raises the same errors as Option.check().
    """
    given = {}
    for option in _server_options.COMMANDS:
        text = getattr(options, option.name)
        if text is not None:
            parse = option.kind.parse_list if option.kind.is_list else option.kind.parse
            given[option.name] = parse(option.command, text)
    return given


def _check_address(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.unix_socket is not None and (options.host, options.port) != (None, None):
        parser.error("--unix-socket cannot be combined with --host or --port")


def _address(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Return the arguments of run_server for the address in PYSTUCK; {} if it has no address."""
    if not _environment.value():
        return {}
    try:
        return _environment.address(_environment.value())
    except ValueError as error:
        parser.error(f"invalid PYSTUCK={_environment.value()!a}: {error}")


def _serve(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Start the server.

    If PYSTUCK has started a server, this server is kept if the command line has no options. If the
    command line has options, the server is replaced.
    """
    started = list(pystuck._by_environment)
    if started and all(value is None for value in vars(options).values()):
        return
    _check_address(parser, options)
    try:
        arguments = {**_environment.options(), **_given(options)}
        if not arguments.keys() & {"host", "port", "unix_socket"}:
            arguments.update(_address(parser))
        arguments = _environment.with_follow_fork(arguments)
        for server in started:
            pystuck._forget(server)
        pystuck.run_server(**arguments)
    except (ValueError, OverflowError) as error:
        parser.error(str(error))
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


# ---- The program ---------------------------------------------------------------------------------


def _new_main(**names: object) -> dict[str, object]:
    """Install a new module __main__ for the program and return its namespace."""
    ours = sys.modules["__main__"]
    main = ModuleType("__main__")
    main.__dict__.update(names)
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    if "__annotations__" in vars(ours):  # Python up to 3.13 sets it
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main.__dict__


def _set_first_path(path: str) -> None:
    """Replace the first entry of sys.path by `path`.

    With `python -m pystuck`, this entry is the current directory. An interpreter with -P or -I has
    no such entry; in this case, sys.path is not changed.
    """
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return
    try:
        has_entry = sys.path[:1] == [os.getcwd()]
    except OSError:  # the directory was deleted
        has_entry = False
    sys.path[: int(has_entry)] = [path]


def _run_code(text: str) -> None:
    if sys.version_info >= (3, 14):
        text = textwrap.dedent(text)
    code = compile(text, "<string>", "exec", dont_inherit=True)
    _set_first_path("")
    exec(code, _new_main(__loader__=importlib.machinery.BuiltinImporter))


def _run_main_of(path: str) -> None:
    """Run a directory or a zip file that contains a __main__."""
    _set_first_path(path)
    if sys.path[0] != path:
        sys.path.insert(0, path)
    _new_main()
    runpy._run_module_as_main("__main__", False)


def _run_script(name: str) -> None:
    try:
        path = os.path.join(os.getcwd(), name)
    except OSError:
        path = name
    if pkgutil.get_importer(path) is not None:
        _run_main_of(path)
        return
    compiled = path.endswith(".pyc")
    kind = "SourcelessFileLoader" if compiled else "SourceFileLoader"
    loader = getattr(importlib.machinery, kind)("__main__", path)
    try:
        data = loader.get_data(path)
    except OSError as error:
        text = f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: {text}", file=sys.stderr)
        sys.exit(2)
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    names = {"__file__": path, "__loader__": loader}
    if "__cached__" in globals():  # Python up to 3.14 sets it
        names["__cached__"] = None
    main = _new_main(**names)
    if compiled:
        code = loader.get_code("__main__")
    else:
        code = compile(data, path, "exec", dont_inherit=True)
    exec(code, main)


def _run(kind: str, name: str, arguments: list[str]) -> None:
    sys.argv = [kind or name, *arguments]
    if kind == "-m":
        _new_main()
        runpy._run_module_as_main(name)
    elif kind == "-c":
        _run_code(name)
    else:
        _run_script(name)


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Return the traceback without its first entries, which are for frames of this module."""
    while traceback is not None and traceback.tb_frame.f_globals is globals():
        traceback = traceback.tb_next
    return traceback


def _report(error: BaseException) -> None:
    """Handle an exception that the program did not catch, as Python does."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    sys.excepthook(type(error), error, error.__traceback__)


def main() -> NoReturn | None:
    """Start the server and run the program."""
    parser = _parser()
    ours, program = _split(sys.argv[1:])
    options = parser.parse_args(ours)
    if len(program) < 2:
        parser.error("a program is missing: a script, -m module or -c code")
    _serve(parser, options)
    try:
        _run(program[0], program[1], program[2:])
        return None
    except (SystemExit, KeyboardInterrupt):  # Python itself ends the process for these exceptions
        raise
    except BaseException as exception:
        error = exception.with_traceback(_without_ours(exception.__traceback__))
    _report(error)
    sys.exit(1)


if __name__ == "__main__":
    main()
