"""Finds completions in the debuggee, for the Tab key.

The client sends this source as it sends run_cell.py. This source works with Python 3.6, and imports
only the standard library. It runs no code of the program and imports no modules of the program. It
reads objects without calling their properties, __getattr__, __dir__, __eq__ and so on.
"""

import ast
import builtins
import functools
import importlib.machinery
import itertools
import keyword
import os
import re
import sys
import types

_, run = arguments  # noqa: F821
namespace, modules_type = run.namespace, run.modules_type
unknown = object()
most_keys, most_shown, longest = 100000, 500, 500

# ---- Tokens of the typed text --------------------------------------------------------------------

pieces = re.compile(
    r"""(?P<blank>(?:[ \t\f\r]|\\\r?\n)+)
    |(?P<comment>\#[^\n]*)
    |(?P<newline>\n)
    |(?P<string>[rRbBuUfFtT]{0,2}(?:'''|\"\"\"|'|\"))
    |(?P<number>\.?[0-9](?:[eE][+-][0-9]|[\w.])*)
    |(?P<name>[^\W\d]\w*)
    |(?P<other>\.\.\.|:=|[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)
rests_of_strings = {
    "'": re.compile(r"(?:[^'\\\n]|\\.)*'", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n]|\\.)*"', re.DOTALL),
    "'''": re.compile(r"(?:[^\\]|\\.)*?'''", re.DOTALL),
    '"""': re.compile(r'(?:[^\\]|\\.)*?"""', re.DOTALL),
}
opening = {")": "(", "]": "[", "}": "{"}


class Typed:
    """The text before the cursor, as tokens.

    tokens: a list of (kind, text), without blanks, comments, and newlines inside brackets.
    opened: the indices in tokens of brackets that are not closed.
    string: (prefix, quote, text) of the string that the cursor is in, or None.
    touches: whether the cursor is directly behind a token.
    """

    def __init__(self, text):
        self.tokens, self.opened, self.string = [], [], None
        self.touches = self.is_comment = False
        at = 0
        while at < len(text) and self.string is None:
            match = pieces.match(text, at)
            kind, piece, at = match.lastgroup, match.group(), match.end()
            if kind == "string":
                piece, at = self._read_string(text, piece, at)
            self.touches = kind not in ("blank", "comment", "newline")
            self.is_comment = kind == "comment"
            if kind not in ("blank", "comment") and self.string is None:
                self._add(kind, piece)

    def _read_string(self, text, piece, at):
        quote = piece[-3:] if piece[-3:] in rests_of_strings else piece[-1]
        match = rests_of_strings[quote].match(text, at)
        if match:
            return piece + match.group(), match.end()
        end = text.find("\n", at)
        if len(quote) == 1 and end >= 0 and text[end - 1] != "\\":
            return piece, end  # a syntax error: the string has no closing quote
        self.string = piece[: -len(quote)].lower(), quote, text[at:]
        return piece, len(text)

    def _add(self, kind, piece):
        if kind == "newline" and self.opened:
            return
        if piece in opening.values():
            self.opened.append(len(self.tokens))
        elif piece in opening and self.opened:
            self.opened.pop()
        self.tokens.append((kind, piece))


def depth_after(token, depth):
    return depth + (token[1] in opening.values()) - (token[1] in opening)


def is_end(token):
    """True if an operand may end here, so that a bracket after it is a call or a subscript."""
    kind, text = token
    if kind == "name":
        return not keyword.iskeyword(text) or text in ("None", "True", "False")
    return kind == "string" or text in opening


def start_of_operand(tokens, end):
    """The start of the operand, such as a.b[c](d), that ends at the index `end`.

    Returns `end` if there is no operand.
    """
    i = end
    while i > 0 and is_end(tokens[i - 1]):
        i -= 1
        depth = depth_after(tokens[i], 0)
        while i > 0 and depth < 0:
            i -= 1
            depth = depth_after(tokens[i], depth)
        is_trailer = tokens[i][1] in ("(", "[") and i > 0 and is_end(tokens[i - 1])
        if not is_trailer:
            if i == 0 or tokens[i - 1][1] != ".":
                return i
            i -= 1
    return end


def end_of_bracket(tokens, start):
    depth = 0
    for i in range(start, len(tokens)):
        depth = depth_after(tokens[i], depth)
        if depth == 0:
            return i
    return len(tokens)


def split_at_commas(tokens):
    parts, depth = [[]], 0
    for token in tokens:
        depth = depth_after(token, depth)
        if token[1] == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def statement(tokens):
    """The tokens of the statement that the cursor is in."""
    depth = 0
    for i in range(len(tokens) - 1, -1, -1):
        depth = max(0, depth - depth_after(tokens[i], 0))
        if depth == 0 and tokens[i][1] in ("\n", ";", ":"):
            return tokens[i + 1 :]
    return tokens


# ---- Reading objects without running their code --------------------------------------------------

# Objects are read with these functions and type(). isinstance() would call a property
# __class__, and `==` and `in` would call __eq__.
classes_of = type.__dict__["__mro__"].__get__
dict_of_class = type.__dict__["__dict__"].__get__
module_of_class = type.__dict__["__module__"].__get__
member, getset = types.MemberDescriptorType, types.GetSetDescriptorType
builtin_methods = type(str.join), type(object.__init__), type(dict.__dict__["fromkeys"])
plain_types = str, bytes, int, float, bool, type(None)
frame_locals = type((lambda: sys._getframe().f_locals)())  # FrameLocalsProxy from 3.13 on
# A getter that is written in C may run Python code. A getter of a built-in type with one of
# the following names runs no Python code.
harmless = {
    "__bases__",
    "__cause__",
    "__class__",
    "__closure__",
    "__code__",
    "__context__",
    "__defaults__",
    "__dict__",
    "__kwdefaults__",
    "__name__",
    "__qualname__",
    "__traceback__",
}


def is_one_of(cls, classes):
    return any(cls is each for each in classes)


def in_classes(classes, name):
    for cls in classes:
        found = dict_of_class(cls).get(name, unknown)
        if found is not unknown:
            return found
    return unknown


def has(value, name):
    return in_classes(classes_of(type(value)), name) is not unknown


def variables_of(value):
    """The __dict__ of an object, or an empty dict."""
    for cls in classes_of(type(value)):
        found = dict_of_class(cls).get("__dict__")
        if is_one_of(type(found), (member, getset)):
            variables = found.__get__(value)
            return variables if issubclass(type(variables), dict) else {}
    return {}


def is_plain(key):
    return is_one_of(type(key), plain_types) or type(key) is tuple and all_plain(key)


def all_plain(keys):
    return all(is_plain(key) for key in keys)


def look_up(variables, key):
    """The value of a plain key in a dict, or `unknown` if the dict does not have the key."""
    for each, value in list(dict.items(variables)):
        if type(each) is type(key) and is_plain(each) and each == key:
            return value
    return unknown


def computed(descriptor, value):
    """The value that a descriptor in C returns; `unknown` if calling it might run Python."""
    if descriptor.__name__ == "__dict__":
        return descriptor.__get__(value)
    module = module_of_class(descriptor.__objclass__)
    if type(module) is not str or module not in ("builtins", "_asyncio"):
        return unknown
    if descriptor.__name__[:2] == "__" and descriptor.__name__ not in harmless:
        return unknown
    return descriptor.__get__(value)


def bound(found, value, cls):
    """The value of an attribute that was found in the __dict__ of a class.

    found: the object in this __dict__. value: the object whose attribute is read, or `unknown`
    if an attribute of the class cls itself is read. Returns `unknown` if reading the attribute
    might run code.
    """
    kind = type(found)
    if kind is staticmethod:
        return found.__func__
    if kind is classmethod:
        function = found.__func__
        is_simple = type(function) is types.FunctionType
        return types.MethodType(function, cls) if is_simple else unknown
    if kind is types.FunctionType:
        return found if value is unknown else types.MethodType(found, value)
    if is_one_of(kind, builtin_methods):
        return found.__get__(None if value is unknown else value, cls)
    if value is unknown and is_one_of(kind, (member, getset, property)):
        return found
    if kind is member or kind is getset:
        return found.__get__(value) if kind is member else computed(found, value)
    return unknown if has(found, "__get__") else found


def attribute(value, name):
    """The value of an attribute; `unknown` if it is missing or if reading it might run code."""
    if type(value) is modules_type:
        return sys.modules.get(name, unknown)
    in_type = in_classes(classes_of(type(value)), name)
    if in_type is not unknown and (has(in_type, "__set__") or has(in_type, "__delete__")):
        return bound(in_type, value, type(value))
    if issubclass(type(value), type):
        found = in_class(value, name)
    else:
        found = look_up(variables_of(value), name)
    if found is not unknown or in_type is unknown:
        return found
    return bound(in_type, value, type(value))


def in_class(cls, name):
    found = in_classes(classes_of(cls), name)
    if found is not unknown:
        found = bound(found, unknown, cls)
    return found if found is not unknown else look_up(members(cls), name)


def members(cls):
    """The members of an enum; an empty dict for other classes."""
    found = dict_of_class(cls).get("_member_map_")
    return found if issubclass(type(found), dict) else {}


def attributes(value):
    """The names of the attributes of an object."""
    if type(value) is modules_type:
        return top_modules("")
    is_class = issubclass(type(value), type)
    found = set(members(value) if is_class else ())
    found.update(() if is_class else strings(dict.keys(variables_of(value))))
    for cls in classes_of(value if is_class else type(value)):
        found.update(strings(dict_of_class(cls)))
    return found


def strings(keys):
    return [key for key in list(keys) if type(key) is str]


def keys_of(value):
    """The plain keys of a dict, of `modules` or of a frame's locals."""
    keys = ()
    if type(value) is modules_type:
        keys = chosen(top_modules(""), "")
    elif issubclass(type(value), dict):
        keys = list(itertools.islice(dict.keys(value), most_keys))
    elif type(value) is frame_locals:
        keys = list(value)
    return [key for key in keys if is_plain(key)]


def item(value, key):
    """The value of value[key] for a plain key, or `unknown`."""
    kind = type(value)
    if kind is modules_type or kind is frame_locals and kind is not dict:
        if type(key) is not str:
            return unknown
        return (sys.modules if kind is modules_type else value).get(key, unknown)
    if issubclass(kind, dict):
        return look_up(value, key)
    for base in list, tuple:
        if issubclass(kind, base) and type(key) is int:
            size = base.__len__(value)
            return base.__getitem__(value, key) if -size <= key < size else unknown
    return unknown


# ---- Values of expressions -----------------------------------------------------------------------

number = re.compile("0|[1-9][0-9]{0,99}|0[xX][0-9a-fA-F]{1,99}")
# Matches only strings for which Python prints no SyntaxWarning in the debuggee.
string = re.compile(
    r"""(?:[^\\]|\\(?:[\\'"abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}))*""",
    re.DOTALL,
)


def variable(name):
    if name in ("None", "True", "False"):
        return ast.literal_eval(name)
    found = look_up(namespace, name)
    return found if found is not unknown else look_up(builtins.__dict__, name)


def literal(kind, text):
    if kind == "number":
        return ast.literal_eval(text) if number.fullmatch(text) else unknown
    prefix = text[: min(text.find(q) for q in "'\"" if q in text)].lower()
    if "f" in prefix or "t" in prefix or not string.fullmatch(text):
        return unknown
    return ast.literal_eval(text)


def value_of(tokens):
    """The value of an expression, or `unknown` if finding it would run code."""
    parts = split_at_commas(tokens)
    if len(parts) > 1:
        values = [value_of(part) for part in (parts if parts[-1] else parts[:-1])]
        return tuple(values) if all_plain(values) else unknown
    if tokens and tokens[0][1] == "-":
        positive = value_of(tokens[1:])
        return -positive if type(positive) is int else unknown
    if len(tokens) == 1 and tokens[0][0] == "number":
        return literal(*tokens[0])
    is_operand = tokens and start_of_operand(tokens, len(tokens)) == 0
    return value_of_operand(tokens) if is_operand else unknown


def value_of_operand(tokens):
    value, i = first_value(tokens)
    while i < len(tokens) and value is not unknown:
        if tokens[i][1] == ".":
            value, i = attribute(value, tokens[i + 1][1]), i + 2
        elif tokens[i][1] == "[":
            end = end_of_bracket(tokens, i)
            key, i = value_of(tokens[i + 1 : end]), end + 1
            value = item(value, key) if is_plain(key) else unknown
        else:
            return unknown  # a call
    return value


def first_value(tokens):
    """(value of the name, literal or bracket at the start of an operand, index after it)."""
    kind, text = tokens[0]
    if kind == "name":
        return variable(text), 1
    if kind == "string":
        return literal(kind, text), 1
    end = end_of_bracket(tokens, 0)
    if text == "(":
        return value_of(tokens[1:end]), end + 1
    is_set = end > 1 and not any(token[1] == ":" for token in tokens[1:end])
    return [] if text == "[" else set() if is_set else {}, end + 1


# ---- Modules -------------------------------------------------------------------------------------

suffixes = importlib.machinery.all_suffixes()


def modules_in(directory, prefix):
    """Yields the names of the modules in a directory, if the names begin with prefix."""
    try:
        names = os.listdir(directory or ".")
    except (OSError, ValueError):
        return
    for name in names:
        if not name.startswith(prefix):
            continue
        inits = (os.path.join(directory, name, "__init__" + suffix) for suffix in suffixes)
        if name.isidentifier() and any(os.path.isfile(init) for init in inits):
            yield name
        for suffix in suffixes:
            if name.endswith(suffix) and name != "__init__" + suffix:
                yield name[: -len(suffix)]


def imported(prefix):
    """The names of imported modules that begin with prefix.

    The part up to the last dot of prefix is removed from the names.
    """
    dot = prefix.rfind(".") + 1
    names = strings(sys.modules)
    return [n[dot:] for n in names if n.startswith(prefix) and "." not in n[dot:]]


def top_modules(prefix):
    found = set(imported(prefix)).union(sys.builtin_module_names)
    for directory in strings(sys.path):
        found.update(modules_in(directory, prefix))
    return found


def modules(package, prefix):
    """The names of the modules in a package, but only names that begin with prefix.

    If package is "", returns the names of top-level modules.
    """
    if not package:
        return top_modules(prefix)
    found = set(imported(package + "." + prefix))
    for directory in places_of(package):
        found.update(modules_in(directory, prefix))
    return found


def places_of(package):
    """The directories that contain the modules of a package."""
    if package in sys.modules:
        path = attribute(sys.modules[package], "__path__")
        if path is not unknown and type(path) is not list:
            path = attribute(path, "_path")  # __path__ of a namespace package is not a list
        return strings(path) if type(path) is list else []
    parent, _, name = package.rpartition(".")
    outer = places_of(parent) if parent else strings(sys.path)
    return [os.path.join(directory, name) for directory in outer]


# ---- Names ---------------------------------------------------------------------------------------

# The functions below return (candidates, the text before the cursor with which each candidate
# begins, the text to insert after a candidate if it is the only one).

nothing = (), "", ""


def chosen(names, word):
    """The names that begin with word; private names only if word begins with an underscore."""
    return sorted(
        name
        for name in set(names)
        if name.startswith(word)
        and (word or not name.startswith("_"))
        and name.isidentifier()
        and len(name) <= longest
    )


def ordered(names, word):
    """Like chosen(), but with private names last."""
    return sorted(chosen(names, word), key=lambda n: min(2, len(n) - len(n.lstrip("_"))))


def names_typed(tokens):
    """Yields all names in the typed text, which include parameters and loop variables."""
    for i, (kind, text) in enumerate(tokens):
        if kind == "name" and (i == 0 or tokens[i - 1][1] != "."):
            yield text


def names_for(typed, word):
    given, missing = arguments(typed)
    found = set(strings(namespace)).union(strings(builtins.__dict__), keyword.kwlist)
    found.update(set(names_typed(typed.tokens)).difference(given))
    first = [name + "=" for name in chosen(missing, word)]
    return first + ordered(found, word), word, ""


# ---- Keyword arguments ---------------------------------------------------------------------------


def arguments(typed):
    """Returns (keywords given, keywords that may follow) for the call that the cursor is in.

    The second set is empty if no argument can begin at the cursor.
    """
    tokens = typed.tokens
    if not typed.opened or tokens[typed.opened[-1]][1] != "(":
        return set(), set()
    bracket = typed.opened[-1]
    start = start_of_operand(tokens, bracket)
    if start == bracket or start > 0 and tokens[start - 1][1] in ("def", "class"):
        return set(), set()
    parts = split_at_commas(tokens[bracket + 1 :])
    given = {part[0][1] for part in parts if len(part) > 1 and part[1][1] == "="}
    if tokens[-1][1] not in ("(", ","):
        return given, set()
    return given, set(parameters(value_of(tokens[start:bracket]))) - given


def parameters(function):
    """The names of the parameters that can be passed by keyword."""
    skipped = 0
    for _ in range(20):
        kind = type(function)
        if kind is types.FunctionType:
            wrapped = look_up(function.__dict__, "__wrapped__")
            if wrapped is unknown:
                return parameters_of_code(function.__code__, skipped)
            function = wrapped
        elif kind is types.MethodType:
            function, skipped = function.__func__, 1
        elif kind is functools.partial:
            function = function.func
        elif issubclass(kind, type):
            made = maker(function)
            if made is unknown:
                return parameters_in(type.__dict__["__text_signature__"].__get__(function))
            function, skipped = made, 1
        elif kind is types.BuiltinFunctionType or is_one_of(kind, builtin_methods):
            return parameters_in(function.__text_signature__)
        elif function is unknown:
            return []
        else:
            function = attribute(function, "__call__")
    return []


def maker(cls):
    """The __init__ or __new__ of a class; `unknown` if neither is a Python function."""
    for name in "__init__", "__new__":
        found = in_classes(classes_of(cls), name)
        found = found.__func__ if type(found) is staticmethod else found
        if type(found) is types.FunctionType:
            return found
    return unknown


def parameters_of_code(code, skipped):
    first = max(skipped, getattr(code, "co_posonlyargcount", 0))
    return code.co_varnames[first : code.co_argcount + code.co_kwonlyargcount]


def parameters_in(signature):
    """The parameters that can be passed by keyword.

    signature: a __text_signature__ such as "($self, a, /, b=1, *, c)".
    """
    if type(signature) is not str:
        return []
    found = []
    for part in split_at_commas(Typed(signature[1:-1]).tokens):
        if part and part[0][1] == "/":
            found = []
        elif part and part[0][0] == "name":
            found.append(part[0][1])
    return found


# ---- Keys ----------------------------------------------------------------------------------------


def subscript(typed):
    """Returns (object, finished items of a tuple key, tokens of the item or key at the cursor).

    object: the object whose key is typed, or `unknown` if the cursor is not in a subscript.
    """
    if not typed.opened or typed.tokens[typed.opened[-1]][1] != "[":
        return unknown, (), []
    bracket = typed.opened[-1]
    start = start_of_operand(typed.tokens, bracket)
    value = value_of(typed.tokens[start:bracket])
    *before, last = split_at_commas(typed.tokens[bracket + 1 :])
    items = tuple([value_of(part) for part in before])
    return (value if all_plain(items) else unknown), items, last


def next_items(value, before):
    """Yields (key or next item of a tuple key, text to insert after it) for each key that fits.

    before: the finished items of a tuple key.
    """
    count = len(before)
    for key in keys_of(value):
        if type(key) is tuple and len(key) > max(1, count) and key[:count] == before:
            yield key[count], "]" if len(key) == count + 1 else ", "
        elif count == 0:
            yield key, "]"


def with_rest(items, word, quote, rest):
    """Makes candidates. Adds the quote and bracket to insert, unless `rest` has them.

    rest: the text behind the cursor.
    """
    endings = {ending for _, ending in items}
    ending = endings.pop() if len(endings) == 1 else ""
    if rest.startswith(quote):
        rest, quote = rest[len(quote) :], ""
    if ending and rest.startswith(ending.strip()):
        ending = ""
    return sorted({text for text, _ in items}), word, quote + ending


def source_of(key):
    """A key as source code; None if it is too long, or if there is no source code for it."""
    if type(key) in (str, bytes) and len(key) > longest:
        return None
    try:
        text = repr(key)
    except ValueError:  # an int with too many digits
        return None
    return text if len(text) <= longest and text not in ("nan", "inf", "-inf") else None


def keys_for(typed, word, rest):
    """Candidates for a key if no quote is typed yet."""
    value, before, last = subscript(typed)
    if value is unknown or last and not typed.touches:
        return nothing
    if not all(token[0] == "number" or token[1] == "-" for token in last):
        return nothing
    word = "".join(token[1] for token in last) + word
    items = [(source_of(key), ending) for key, ending in next_items(value, before)]
    return with_rest([i for i in items if i[0] and i[0].startswith(word)], word, "", rest)


def within_quotes(key, prefix, quote):
    """Return a key as the inside of a string literal: the source code between the quotes.

    prefix, quote: what the user has typed before the text, such as b and ". Return None if a
    literal with this prefix cannot express the key.
    """
    if type(key) is not (bytes if "b" in prefix else str) or source_of(key) is None:
        return None
    # With a double quote before the key, repr() always writes single quotes around the text.
    # The added double quote and the single quotes are removed again.
    text = repr(b'"' + key)[3:-1] if "b" in prefix else repr('"' + key)[2:-1]
    if quote[0] == '"':
        text = text.replace("\\'", "'").replace('"', '\\"')
    return None if "r" in prefix and "\\" in text else text


def quoted_keys(typed, rest):
    prefix, quote, word = typed.string
    if "f" in prefix:
        return within_f_string(word, rest)
    value, before, last = subscript(typed)
    if value is unknown or last:
        return nothing
    if type(value) is modules_type:
        package, dot, name = word.rpartition(".")
        items = [(package + dot + n, "]") for n in chosen(modules(package, name), name)]
        return with_rest(items, word, quote, rest)
    items = [(within_quotes(k, prefix, quote), end) for k, end in next_items(value, before)]
    found = [i for i in items if i[0] is not None and i[0].startswith(word)]
    return with_rest(found, word, quote, rest)


def within_f_string(text, rest):
    text = text.replace("{{", "  ")
    expression = text[text.rfind("{") + 1 :]
    return nothing if "{" not in text or "}" in expression else candidates(expression, rest)


# ---- Imports -------------------------------------------------------------------------------------


def module_names(tokens, word, what_follows):
    """Candidates for the name of a module.

    tokens: the part of a dotted name that was typed before word. If the last token is a name
    and not a dot, the only candidate is the keyword what_follows.
    """
    if tokens and tokens[-1][1] != ".":
        return chosen([what_follows], word), word, ""
    if tokens and tokens[0][0] != "name":
        return nothing
    package = "".join(text for _, text in tokens[:-1])
    return chosen(modules(package, word), word), word, ""


def names_to_import(tokens, word):
    """Candidates in an import statement."""
    if tokens[0][1] == "import":
        return module_names(split_at_commas(tokens[1:])[-1], word, "as")
    texts = [text for _, text in tokens]
    if "import" not in texts:
        return module_names(tokens[1:], word, "import")
    at = texts.index("import")
    if split_at_commas([token for token in tokens[at + 1 :] if token[1] != "("])[-1]:
        return chosen(["as"], word), word, ""
    package = "".join(texts[1:at])
    found = modules(package, word)
    if package in sys.modules:
        found.update(attributes(sys.modules[package]))
    return ordered(found, word), word, ""


# ---- The interface to the client -----------------------------------------------------------------


def candidates(text, rest):
    typed = Typed(text)
    if typed.is_comment:
        return nothing
    if typed.string is not None:
        return quoted_keys(typed, rest)
    tokens, word = typed.tokens, ""
    if typed.touches and tokens[-1][0] == "name":
        word = tokens.pop()[1]
    begun = statement(tokens)
    if begun and begun[0][1] in ("import", "from"):
        return names_to_import(begun, word)
    if tokens and tokens[-1][1] == ".":
        return names_of_object(tokens, word)
    found = keys_for(typed, word, rest)
    if found[0] or not word and typed.touches and is_operand_end(tokens):
        return found
    return names_for(typed, word)


def is_operand_end(tokens):
    return bool(tokens) and (tokens[-1][0] == "number" or is_end(tokens[-1]))


def names_of_object(tokens, word):
    end = len(tokens) - 1
    value = value_of(tokens[start_of_operand(tokens, end) : end])
    return nothing if value is unknown else (ordered(attributes(value), word), word, "")


def common_to(texts):
    if not texts:
        return ""
    first, last = min(texts), max(texts)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last))
    return "".join(pair[0] for pair in same)


def complete(text, rest):
    """Finds candidates for the cursor between text and rest.

    Returns (number of characters before the cursor with which each candidate begins, longest
    common prefix of the candidates, text to insert after a single candidate, number of
    candidates, the first candidates).
    """
    try:
        found, word, ending = candidates(text, rest)
        shown = tuple(found[:most_shown])
        return len(word), common_to(found), ending, len(found), shown
    except BaseException:  # the Tab key must never raise an exception in the debuggee
        return 0, "", "", 0, ()


value = complete
