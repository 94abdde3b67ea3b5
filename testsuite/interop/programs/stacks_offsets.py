"""Breaks each of the stack reader's offsets in turn, and checks whether run_server finds it out.

Argument: the file stackreader/offsets.h. Prints a JSON object: `right`, what is found against the
right offsets; `checked`, the number of changes; `missed`, the changes that are not found by
run_server, or not by the comparison with what Python tells alone. A change of an offset that only
locks need must be found by the comparison of locks, and not by that of frames.
"""

import itertools
import json
import sys
from pathlib import Path

import stackreader_module
from offset_names import members

NAMES = list(members(Path(sys.argv[1]).read_text()))
#: From 3.13 on, only Python's own table of offsets tells this one from the next member, which has
#: the same value as long as there is one interpreter.
BY_TABLE = "runtime.interpreters +8"

OFFSETS = stackreader_module.offsets()
assert len(OFFSETS) == len(NAMES)
#: Offsets that this version does not use, though it has such a member.
UNUSED = {"minor", "free_threaded"}
if sys.version_info < (3, 11):
    UNUSED |= {"type.cached_keys"}
#: Offsets that only locks need.
LOCKS = set(
    """
    frame.globals frame.locals frame.values frame.stack_pointer frame.block_count frame.blocks
    code.locals_count code.stack_size code.flags code.names code.local_names code.cell_names
    code.free_names code.bytecode code.units code.exceptions function.code generator.frame
    builtin.definition builtin.self method.self descriptor.name descriptor.more member.offset
    type.base type.dict type.mro tuple.size tuple.items list.size list.items
    """.split()
)


#: These are used only for code that a debugger has changed. They are not compared.
UNUSED |= {"code.monitoring", "monitoring.lines", "monitoring.instructions"}


def changes():
    """A description of each change, whether it is one of LOCKS alone, and the change."""
    used = [i for i, name in enumerate(NAMES) if OFFSETS[i] >= 0 and name not in UNUSED]
    for i in used:
        for delta in (8, -8, 4, 16):
            yield f"{NAMES[i]} {delta:+}", NAMES[i] in LOCKS, [(i, OFFSETS[i] + delta)]
    for i, j in itertools.combinations(used, 2):
        if NAMES[i].split(".")[0] == NAMES[j].split(".")[0] and OFFSETS[i] != OFFSETS[j]:
            only = {NAMES[i], NAMES[j]} <= LOCKS
            yield f"{NAMES[i]} and {NAMES[j]}", only, [(i, OFFSETS[j]), (j, OFFSETS[i])]


right = stackreader_module.check([])
missed = {}
checked = 0
for what, only_locks, change in changes():
    checked += 1
    by_server, by_comparison, by_locks = stackreader_module.check(change)
    if only_locks:
        found = by_server and by_locks and not by_comparison
    else:
        found = by_server and (by_comparison or what == BY_TABLE)
    if not found:
        missed[what] = by_server, by_comparison, by_locks
print(json.dumps({"right": right, "checked": checked, "missed": missed}))
