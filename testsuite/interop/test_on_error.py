# SPDX-License-Identifier: BSD-3-Clause
"""run_server(on_error="warn"): a server that cannot be started does not stop the program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import run_python

#: Prints the exception or the result of run_server, and what was logged.
ATTEMPT = """
import io, json, logging, sys
import pystuck
text = io.StringIO()
options = json.loads(sys.argv[1])
if options.pop("configured", True):
    logging.basicConfig(stream=text, format="%(levelname)s %(name)s %(message)s")
if options.pop("own_logger", False):
    options["logger"] = logging.getLogger("app")
try:
    result = repr(pystuck.run_server(on_error="warn", **options))
except Exception as error:
    result = f"{type(error).__name__}: {error}"
print(json.dumps([result, text.getvalue(), len(pystuck._servers)]))
"""


def attempt(**options: Any) -> list[Any]:
    """Calls run_server in another process. Returns its result, the log, and the number of
    servers."""
    return run_python(ATTEMPT, json.dumps(options))  # type: ignore[return-value]


@pytest.mark.parametrize("logger", ["pystuck", "app"])
def test_a_port_in_use_is_logged(taken_port: int, logger: str) -> None:
    options = {"own_logger": True} if logger == "app" else {}
    result, log, count = attempt(port=taken_port, **options)
    assert (result, count) == ("None", 0)
    assert re.fullmatch(
        rf"WARNING {logger} no pystuck server: .*Address already in use.*{taken_port}.*\n", log
    )


@pytest.mark.parametrize(
    "options",
    [
        {"unix_socket": "/nowhere/{pid}.sock", "follow_fork": True},
        {"port": 0, "certfile": "/nowhere/server.pem"},
        {"host": "0.0.0.0", "port": 0},
    ],
    ids=str,
)
def test_another_error_of_the_start_is_logged(options: dict[str, Any]) -> None:
    result, log, count = attempt(**options)
    assert (result, count) == ("None", 0)
    assert log.startswith("WARNING pystuck no pystuck server: ")


def test_a_program_without_logging_prints_nothing(taken_port: int) -> None:
    """Also run_python() checks that nothing is printed on stderr."""
    assert attempt(port=taken_port, configured=False) == ["None", "", 0]


def test_the_logger_gets_one_handler_that_prints_nothing() -> None:
    code = (
        "import json, logging, pystuck\n"
        "for _ in range(3): pystuck.run_server(unix_socket='/nowhere/s', on_error='warn')\n"
        "print(json.dumps(list(map(str, logging.getLogger('pystuck').handlers))))\n"
    )
    assert run_python(code) == ["<NullHandler (NOTSET)>"]


def test_an_invalid_argument_is_an_error_nevertheless() -> None:
    assert attempt(port="x")[0].startswith("TypeError: invalid port 'x'")
    assert attempt(prot=1)[0].startswith("TypeError: run_server() got an unexpected keyword")


def test_on_error_accepts_two_words() -> None:
    code = (
        "import json, pystuck\n"
        "try: pystuck.run_server(on_error='ignore')\n"
        "except ValueError as error: print(json.dumps(str(error)))\n"
    )
    assert run_python(code) == "invalid on_error 'ignore': expected 'raise' or 'warn'"


#: Two workers that each run the line in argv[1], and a third one without the directory.
WORKERS = """
import json, logging, os, sys, warnings
logging.disable()
warnings.simplefilter("ignore")
import pystuck
r, w = os.pipe()
for line in (sys.argv[1], sys.argv[1], sys.argv[2]):
    if os.fork() == 0:
        exec(line)
        os.write(w, b"%d " % len(pystuck._servers))
        os._exit(0)
    os.wait()
print(json.dumps(sorted(map(int, os.read(r, 100).split()))))
"""


def test_the_line_for_services_is_correct_in_each_worker(socket_dir: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (line,) = re.findall(r"^    (pystuck\.run_server\(.*on_error=.*\))$", readme, re.MULTILINE)
    here = line.replace("/run/myapp", str(socket_dir))
    assert here != line
    assert run_python(WORKERS, here, line.replace("/run/myapp", "/nowhere")) == [0, 1, 1]
