"""A program whose server has an authenticator, rpyc's SSLAuthenticator or another one.

Argument, as JSON: `ssl`: the arguments of SSLAuthenticator; or `password`: the first bytes that a
client must send; or `wrap`: an authenticator that returns another socket. `run`: arguments of
run_server. It prints the address of its server, then the messages of its logger from warnings on,
and ends after a line on stdin.
"""

import json
import socket
import sys

import pystuck
from printed_log import logger
from rpyc.utils.authenticators import AuthenticationError, SSLAuthenticator

wanted = json.loads(sys.argv[1])


def password(sock: socket.socket) -> tuple[socket.socket, object]:
    sock.settimeout(5)
    if sock.recv(len(wanted["password"])) != wanted["password"].encode():
        raise AuthenticationError("wrong password")
    return sock, {"name": "the password is known"}


def wrap(sock: socket.socket) -> tuple[object, object]:
    return sock.makefile("rwb"), None


if "ssl" in wanted:
    authenticator = SSLAuthenticator(**wanted["ssl"])
else:
    authenticator = wrap if wanted.get("wrap") else password
server = pystuck.run_server(
    **{"port": 0, "authenticator": authenticator, "logger": logger, **wanted.get("run", {})}
)
print(json.dumps({"host": "127.0.0.1", "port": server.port}), flush=True)
sys.stdin.readline()
print("went on", flush=True)
