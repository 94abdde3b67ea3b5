"""A program with pystuck's server, for a client that calls everything: unprivileged, in an empty
folder.

Arguments: the folder, and a user to become, or "". It prints the address of its server, and ends at
the end of stdin.
"""

import importlib
import json
import os
import resource
import sys

import pystuck

MODULES = """
builtins abc argparse array ast base64 binascii bisect calendar codecs collections contextlib copy
csv datetime decimal enum errno fnmatch fractions functools gc hashlib heapq html importlib
inspect io itertools json keyword linecache locale logging math operator os pickle platform pprint
queue random re select shlex signal socket statistics string struct sys textwrap threading time
tokenize traceback types typing unicodedata uuid warnings weakref zlib _thread
""".split()

for name in MODULES:  # another user may not be able to import them
    importlib.import_module(name)
server = pystuck.run_server(port=0)
os.chdir(sys.argv[1])
for limit, most in {"FSIZE": 1 << 20, "CPU": 300, "CORE": 0, "AS": 4 << 30}.items():
    resource.setrlimit(getattr(resource, f"RLIMIT_{limit}"), (most, most))
if sys.argv[2]:
    os.chmod(".", 0o777)
    os.setgroups([])
    os.setresgid(*[int(sys.argv[2])] * 3)
    os.setresuid(*[int(sys.argv[2])] * 3)
print(json.dumps({"host": server.host, "port": server.port, "modules": MODULES}), flush=True)
lines = os.dup(0)  # a client may close descriptor 0
while os.read(lines, 1):
    pass
