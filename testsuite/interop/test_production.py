# SPDX-License-Identifier: BSD-3-Clause
"""The commands in doc/production.md, with the programs that they name: PYSTUCK=1 gunicorn ..."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import rpyc
from harness import Running, debuggee_environment, pystuck, wait_until
from hooked import version

PAGE = (Path(__file__).parents[2] / "doc/production.md").read_text()

#: The command lines of the page.
COMMANDS = re.findall(r"^    PYSTUCK=1 (.*)$", PAGE, re.MULTILINE)

#: How many processes have a server, by words of the command.
COUNTS = {
    "gunicorn": 5,
    "uwsgi": 5,
    "celery": 5,
    "uvicorn": 6,  # with the resource tracker
    "manage.py": 2,
    "pools.py": 6,  # with the resource tracker and the fork server
    "pytest": 5,
}

#: The files of the services.
FILES = {
    "app.py": """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
application = app
""",
    "asgi.py": "async def app(scope, receive, send): await receive()",
    "tasks.py": "from celery import Celery; app = Celery('tasks', broker='memory://')",
    "manage.py": """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
settings.configure(DEBUG=True, SECRET_KEY="x", ROOT_URLCONF="manage")
urlpatterns = []
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
""",
    "pools.py": """
import multiprocessing, time
if __name__ == "__main__":
    pools = [multiprocessing.get_context(m).Pool(1) for m in ("fork", "spawn", "forkserver")]
    for pool in pools:
        pool.map_async(time.sleep, [1000])
    time.sleep(1000)
""",
    "test_nap.py": """
import pytest, time
@pytest.mark.parametrize("n", range(4))
def test_nap(n): time.sleep(1000)
""",
}


def packages(name: str) -> Path:
    """Returns the directory with the packages that the test needs."""
    if name not in os.environ:
        pytest.skip("only with PYSTUCK_SLOW=1, and if the programs can be installed")
    return Path(os.environ[name])


def command_line(text: str, hooked: str, free_port: int) -> list[str]:
    """Returns the command, with addresses that no other program uses."""
    words = shlex.split(text)
    variables = [word for word in words if re.match("[A-Z_]+=", word)]
    program, *arguments = words[len(variables) :]
    if program == "uwsgi":
        arguments = [word.replace(":8000", "127.0.0.1:0") for word in arguments]
        venv = str(Path(hooked).parents[1])
        uwsgi = str(packages("PYSTUCK_UWSGI") / "bin/uwsgi")
        return ["env", *variables, uwsgi, *arguments, "--venv", venv]
    where = {
        "gunicorn": ["-b", "127.0.0.1:0"],
        "uvicorn": ["--port", "0"],
        "pytest": ["-p", "no:cacheprovider"],
    }
    if "runserver" in arguments:
        arguments += ["--skip-checks", f"127.0.0.1:{free_port}"]
    script = [] if program == "python" else [str(packages("PYSTUCK_PRODUCTION") / "bin" / program)]
    return [hooked, *script, *arguments, *where.get(program, [])]


@pytest.fixture
def service(request: pytest.FixtureRequest, hooked: str, socket_dir: Path) -> Iterator[Running]:
    """The service of a command line of the page, with socket_dir as XDG_RUNTIME_DIR."""
    socket_dir.chmod(0o700)
    for name, text in FILES.items():
        (socket_dir / name).write_text(text)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = command_line(request.param, hooked, port)
    environment = debuggee_environment(PYSTUCK="1", XDG_RUNTIME_DIR=str(socket_dir))
    environment["PYTHONPATH"] += f":{packages('PYSTUCK_PRODUCTION')}:{socket_dir}"
    running = Running(command, environment, cwd=socket_dir)
    try:
        yield running
    finally:
        running.kill()


def pid_at(path: Path) -> int:
    """Returns the pid of the server's process; 0 if the server does not answer."""
    with (
        contextlib.suppress(OSError, EOFError),
        contextlib.closing(rpyc.classic.unix_connect(str(path))) as connection,
    ):
        return connection.eval("__import__('os').getpid()")
    return 0


@pytest.mark.parametrize("service", COMMANDS, indirect=True)
def test_each_process_of_the_service_has_a_server(
    request: pytest.FixtureRequest, service: Running, socket_dir: Path
) -> None:
    text = request.node.callspec.params["service"]
    (count,) = (count for word, count in COUNTS.items() if word in text)
    folder = socket_dir / "pystuck"
    wait_until(lambda: len(list(folder.glob("*"))) == count, f"{count} sockets")
    for path in folder.iterdir():
        wait_until(lambda path=path: pid_at(path) == int(path.stem), f"{path} to answer")
    listed = pystuck("--list").stdout
    assert len(re.findall(rf"{folder}/\d+\.sock", listed)) == count
    assert "no pystuck server" not in service.stderr()


@pytest.mark.skipif(version() < (3, 12), reason="this Python does not warn")
def test_the_filter_line_hides_the_warning_about_fork(hooked: str) -> None:
    (line,) = set(re.findall(r'`PYTHONWARNINGS="(.*?)"`', PAGE))
    code = "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)"
    stderr = [
        subprocess.run(
            [hooked, "-c", code],
            env=debuggee_environment(PYSTUCK="unix:@pystuck-test-{pid}", **more),
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for more in ({}, {"PYTHONWARNINGS": line})
    ]
    assert "multi-threaded" in stderr[0]
    assert stderr[1] == ""
