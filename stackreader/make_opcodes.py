"""Prints the table of the instructions of the running CPython, for opcode_tables.inc.

Run this script on each version that the stack reader supports, and join the results:

    for python in python3.9 ... python3.15; do $python stackreader/make_opcodes.py; done \\
        >stackreader/opcode_tables.inc

The script needs CPython's headers (python3-dev), and nothing else.
"""

import dis
import opcode
import re
import sys
import sysconfig
from pathlib import Path

MINOR = sys.version_info[1]
INCLUDE = Path(sysconfig.get_path("include"))

#: The operation (without OP_) of each instruction whose operation is not OTHER.
OPERATIONS = {
    "BEFORE_WITH": "ENTER_WITH",
    "LOAD_FAST_CHECK": "LOAD_FAST",
    "LOAD_FAST_BORROW": "LOAD_FAST",
    "LOAD_FAST_LOAD_FAST": "LOAD_TWO",
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": "LOAD_TWO",
    "SETUP_WITH": "ENTER_WITH",
    "INSTRUMENTED_LINE": "INSTRUMENTED",
    "INSTRUMENTED_INSTRUCTION": "INSTRUMENTED",
} | {
    name: name
    for name in (
        "LOAD_FAST",
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "LOAD_DEREF",
        "LOAD_ATTR",
        "LOAD_METHOD",
        "POP_TOP",
        "FOR_ITER",
        "EXTENDED_ARG",
        "PRECALL",
        "CALL",
        "CALL_KW",
        "CALL_METHOD",
        "CALL_FUNCTION",
        "CALL_FUNCTION_KW",
        "CALL_FUNCTION_EX",
        "WITH_EXCEPT_START",
    )
}

#: The instructions after which Python does not continue with the instruction that follows.
ENDS = {
    "RETURN_VALUE",
    "RETURN_CONST",
    "RAISE_VARARGS",
    "RERAISE",
    "INTERPRETER_EXIT",
    "ENTER_EXECUTOR",
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "JUMP_ABSOLUTE",
}

ARGUMENTS = [*range(20), 255, 256, 257, 300, 511, 513]

SHAPES = {
    "LINEAR": lambda a: a,
    "BIT_0": lambda a: a & 1,
    "BIT_2": lambda a: a >> 2 & 1,
    "BITS": lambda a: bin(a & 15).count("1"),
    "IS_3": lambda a: int(a == 3),
    "UNPACK": lambda a: (a & 255) + (a >> 8),
}


def numbers():
    """Return a dict from the name to the opcode of each instruction, also of specialised ones."""
    if MINOR <= 10:
        return dict(opcode.opmap)
    text = (INCLUDE / ("opcode_ids.h" if MINOR >= 13 else "opcode.h")).read_text()
    found = {name: int(number) for name, number in re.findall(r"#define (\w+)\s+(\d+)\b", text)}
    return {name: number for name, number in found.items() if number < 256 and "HAVE" not in name}


def originals():
    """Return a dict with the name of the original instruction of each specialised instruction."""
    if MINOR <= 10:
        return {}
    name = "pycore_opcode_metadata.h" if MINOR >= 13 else "pycore_opcode.h"
    text = (INCLUDE / "internal" / name).read_text()
    table = re.search(r"_PyOpcode_Deopt\[256\] = \{(.*?)\}", text, re.S).group(1)
    return dict(re.findall(r"\[(\w+)\]\s*=\s*(\w+)", table))


def caches(name):
    """Return how many code units of caches follow the instruction."""
    if MINOR <= 10:
        return 0
    known = getattr(opcode, "_inline_cache_entries", None)
    if hasattr(known, "get"):
        return known.get(name, 0)
    return known[opcode.opmap[name]]


def takes_argument(number):
    """Return whether the instruction has an argument."""
    return number in dis.hasarg if MINOR >= 13 else number >= dis.HAVE_ARGUMENT


def effect(name):
    """Return the effect of an instruction if it does not jump: (shape, base, factor)."""
    number = opcode.opmap[name]
    if name == "PRECALL":
        return "LINEAR", 0, 0
    if name == "CALL" and MINOR == 11:  # includes the effect of its PRECALL
        return "LINEAR", -1, -1
    jumps = {"jump": False} if number in dis.hasjrel or number in dis.hasjabs else {}
    arguments = ARGUMENTS if takes_argument(number) else [None]
    changes = {}
    for each in arguments:
        try:
            changes[each] = dis.stack_effect(number, each, **jumps)
        except (ValueError, SystemError):
            break
    if not changes:
        return "UNKNOWN", 0, 0
    base = changes[next(iter(changes))]
    if len(changes) == 1 or set(changes.values()) == {base}:
        return "LINEAR", base, 0
    for shape, function in SHAPES.items():
        at = next(a for a in changes if function(a) == 1)
        factor = changes[at] - base
        if all(base + factor * function(a) == change for a, change in changes.items()):
            return shape, base, factor
    raise SystemExit(f"{name}: unknown effect {changes}")


def flow(name):
    """Return the flow of an instruction, and its effect if it jumps."""
    number = opcode.opmap[name]
    parts = [] if name in ENDS else ["NEXT"]
    jump = 0
    if number in dis.hasjabs:
        parts.append("JUMP_TO")
    elif number in dis.hasjrel:
        parts.append("JUMP_BACKWARD" if "BACKWARD" in name else "JUMP_FORWARD")
    if len(parts) > (name not in ENDS) and MINOR < 14:
        jump = dis.stack_effect(number, 0, jump=True)
    return " | ".join("FLOW_" + part for part in parts) or "0", jump


def row(name):
    """Return the entry of an instruction, without its braces."""
    operation = OPERATIONS.get(name, "OTHER")
    if MINOR >= 14:
        return f"OP_{operation}, {caches(name)}, {flow(name)[0]}, EFFECT_UNKNOWN, 0, 0, 0"
    shape, base, factor = effect(name)
    parts, jump = flow(name)
    return f"OP_{operation}, {caches(name)}, {parts}, EFFECT_{shape}, {base}, {factor}, {jump}"


def original(name, known):
    """Return the instruction of which `name` is a specialised or instrumented version, or None."""
    name = known.get(name, name)
    if name.startswith("INSTRUMENTED_") and name not in OPERATIONS:
        name = name[len("INSTRUMENTED_") :]
    return name if name in opcode.opmap else None


def main():
    """Print the table."""
    known = originals()
    print(f"static const struct opcode opcodes_3_{MINOR}[256] = {{")
    for name, number in sorted(numbers().items(), key=lambda item: item[1]):
        if name in ("INSTRUMENTED_LINE", "INSTRUMENTED_INSTRUCTION"):
            print(f"    [{number}] = {{OP_INSTRUMENTED, 0, 0, EFFECT_UNKNOWN, 0, 0, 0}},")
        elif name == "ENTER_EXECUTOR":
            print(f"    [{number}] = {{OP_OTHER, 1, 0, EFFECT_LINEAR, 0, 0, 0}},")
        elif original(name, known):
            print(f"    [{number}] = {{{row(original(name, known))}}}, /* {name} */")
    print("};")


if __name__ == "__main__":
    main()
