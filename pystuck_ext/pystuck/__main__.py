"""Run a Python program with pystuck's server in it.

The program is given, and run, as python itself has it.
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
from typing import NoReturn

import pystuck
from pystuck import _admission, _environment

_USAGE = """\
python -m pystuck [options] script.py [arguments]
       python -m pystuck [options] -m module [arguments]
       python -m pystuck [options] -c code [arguments]
"""

#: Options of argparse for who comes in, and their names among the arguments of run_server.
_ADMISSION = {
    "--certfile": ("certfile", {"metavar": "FILE"}, "speak TLS, with this certificate (PEM)"),
    "--keyfile": ("keyfile", {"metavar": "FILE"}, "its key, if that is not in the same file"),
    "--ca-certs": (
        "ca_certs",
        {"metavar": "FILE"},
        "let in who has a certificate of this CA, from any address",
    ),
    "--crl": ("crl", {"metavar": "FILE"}, "... that is not in this list of revoked ones"),
    "--allow-subject": (
        "allow_subjects",
        {"metavar": "NAME", "action": "append"},
        "... and is for this common name, or whole subject; may be given several times",
    ),
    "--ciphers": ("ciphers", {"metavar": "LIST"}, "the ciphers of TLS 1.2, as OpenSSL has them"),
    "--allow-user": (
        "allow_users",
        {"metavar": "USER", "action": "append"},
        "let in this user, a name or an id, beside root and this process's own; may be given "
        "several times",
    ),
    "--unix-mode": ("unix_mode", {"metavar": "MODE"}, "the mode of the Unix socket, such as 0660"),
    "--unix-group": (
        "unix_group",
        {"metavar": "GROUP"},
        "its group, a name or an id, whose members are let in",
    ),
    "--insecure": (
        "insecure",
        {"action": "store_const", "const": "1"},
        "let everyone in, from everywhere, to run any code: for a network of your own",
    ),
}

_WITH_VALUE = (
    "--host",
    "--port",
    "--unix-socket",
    *(option for option, (_, how, _) in _ADMISSION.items() if "metavar" in how),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pystuck",
        _USAGE,
        description=__doc__,
        epilog="Without --host, --port and --unix-socket, PYSTUCK in the environment says where "
        "the server listens. PYSTUCK_CERTFILE and so on stand in for the options that say who "
        "comes in.",
        allow_abbrev=False,  # _split() does not know abbreviations either
    )
    parser.add_argument(
        "--host", help=f"a loopback address to listen on (default: {pystuck.DEFAULT_HOST})"
    )
    parser.add_argument(
        "--port", type=int, help=f"the TCP port (default: {pystuck.DEFAULT_PORT}; 0: any)"
    )
    parser.add_argument(
        "--unix-socket",
        metavar="PATH",
        help="listen on a Unix socket instead, @NAME for an abstract one; {pid} is the process's",
    )
    for option, (name, how, text) in _ADMISSION.items():
        parser.add_argument(option, dest=name, help=text, **how)
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our options, and the program with its arguments, which begins with "-m" or "-c" or a name.

    argparse would look for options of ours among the program's.
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


def _address(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict:
    """Where the server is to listen, as arguments of run_server()."""
    if options.unix_socket is not None:
        if options.host is not None or options.port is not None:
            parser.error("--unix-socket goes with neither --host nor --port")
        return {"unix_socket": options.unix_socket}
    given = {name: getattr(options, name) for name in ("host", "port")}
    given = {name: value for name, value in given.items() if value is not None}
    if given or not _environment.value():
        return given
    try:
        return _environment.address(_environment.value())
    except ValueError as error:
        parser.error(f"PYSTUCK={_environment.value()!a}: {error}")


def _serve(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Starts the server. One that our own import started for PYSTUCK gives way to options."""
    started = pystuck._by_environment
    if started is not None and all(value is None for value in vars(options).values()):
        return
    names = [name for name, _, _ in _ADMISSION.values()]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    try:
        admission = _admission.from_texts({**_environment.admission(), **given})
        address = _address(parser, options)
        if started is not None:
            pystuck._forget(started)
        pystuck.run_server(**address, **admission)
    except (ValueError, OverflowError) as error:
        parser.error(str(error))
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


# ---- The program ---------------------------------------------------------------------------------


def _new_main(**names: object) -> dict[str, object]:
    """The namespace of a new __main__ module, for the program."""
    ours = sys.modules["__main__"]
    main = ModuleType("__main__")
    main.__dict__.update(names)
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    if "__annotations__" in vars(ours):  # as Python makes it, up to 3.13
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main.__dict__


def _set_first_path(path: str) -> None:
    """Sets the entry of sys.path that comes before all others, where `-m pystuck` put the current
    directory. An interpreter that is to be safe from that has none."""
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return
    try:
        has_entry = sys.path[:1] == [os.getcwd()]
    except OSError:  # a directory that is gone has no name
        has_entry = False
    sys.path[: int(has_entry)] = [path]


def _run_code(text: str) -> None:
    if sys.version_info >= (3, 14):
        text = textwrap.dedent(text)
    code = compile(text, "<string>", "exec", dont_inherit=True)
    _set_first_path("")
    exec(code, _new_main(__loader__=importlib.machinery.BuiltinImporter))


def _run_main_of(path: str) -> None:
    """Runs a directory or a zip file with a __main__ in it."""
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
    if "__cached__" in globals():  # as Python has it, up to 3.14
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
    while traceback is not None and traceback.tb_frame.f_globals is globals():
        traceback = traceback.tb_next
    return traceback


def _report(error: BaseException) -> None:
    """Does what Python does with an exception that nobody has caught."""
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
    except (SystemExit, KeyboardInterrupt):  # for these Python's own end of the process is wanted
        raise
    except BaseException as exception:
        error = exception.with_traceback(_without_ours(exception.__traceback__))
    _report(error)
    sys.exit(1)


if __name__ == "__main__":
    main()
