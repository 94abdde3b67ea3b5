"""The members of struct offsets of the stack reader, as its header declares them."""

import re


def members(header):
    """The members of struct offsets (stackreader/offsets.h), in their order: "thread.next"."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    text = text[text.index("struct offsets {") :]
    for alone, inner, name in re.findall(
        r"(?:int|bool) (\w+);(?=[^}]*struct)|struct \{(.*?)\} (\w+);", text, flags=re.DOTALL
    ):
        if alone:
            yield alone
        for one in re.findall(r"\w+(?=[,;])", inner):
            yield f"{name}.{one}"
