# SPDX-License-Identifier: BSD-3-Clause
"""The requests that comparison.py makes, with names from compared_objects.py and comparison.py."""

#: Objects of the server. The client performs every operation on each of them.
OBJECTS = """
[1, 'two', (3,)]
{'a': 1, (2, 3): [4]}
{1}
frozenset([Slots])
object()
object
type
int
str
type(None)
type(Ellipsis)
list
dict
BaseException
Exception
KeyError
ValueError('x', 1)
bytearray(b'x')
memoryview(b'xyz')
range(5)
iter([1, 2])
iter((1, 2))
iter({1})
iter({1: 2})
iter(range(3))
{1: 2}.keys()
{1: 2}.items()
enumerate('ab')
zip('ab', 'cd')
map(str, (1, 2))
reversed([1, 2])
len
[].append
int.__add__
(1).__add__
str.join
dict.fromkeys
lambda a, b=1: a
here
here().f_code
here()
generator
generator()
coroutine
Thing
Thing(5)
Thing(5).method
Thing.method
Thing.make
Thing.Nested
Thing.prop
Thing.__dict__
Derived(5)
Derived
Slots()
Slots.a
Meta
WithMeta
WithMeta()
Liar()
Unhashable()
Guarded()
Dynamic()
Text('text')
Pair((1, 2))
Point(1, 2)
Point
Color.RED
Color
Manager()
Iterator()
Odd
Odd(1)
sys
os.path
xml.dom
__import__('collections.abc')
types
types.ModuleType('made')
types.ModuleType('json')
types.SimpleNamespace(a=1)
types.MappingProxyType({1: 2})
types.ModuleType
types.FunctionType
types.GenericAlias(list, (int,))
functools.partial(int, base=2)
functools.partial
functools.lru_cache(len)
collections.OrderedDict(a=1)
collections.deque([1, 2])
collections.Counter('aab')
collections.defaultdict(list)
datetime.date(2020, 1, 2)
datetime.datetime(2020, 1, 2)
datetime.timedelta(1)
decimal.Decimal('1.5')
fractions.Fraction(1, 3)
pathlib.PurePosixPath('/a/b')
re.compile('a(b)')
re.match('a(b)', 'ab')
array.array('i', [1, 2])
io.StringIO('text')
io.BytesIO(b'bytes')
threading.Lock()
threading.RLock()
threading.Event()
threading.local()
threading.main_thread()
weakref.ref(Thing)
uuid.UUID(int=5)
random.Random(1)
itertools.count(3)
operator.itemgetter(1)
contextlib.suppress(KeyError)
string.Template('$a')
ctypes.c_int(5)
ctypes.c_int
property()
staticmethod(len)
classmethod(len)
super(Derived, Derived(1))
sys.version_info
sys.flags
os.stat('/')
os
json.JSONDecodeError
json.JSONDecoder()
asyncio.Future
""".strip().splitlines()

#: Expressions that the client evaluates.
OPERATIONS = """
c.eval("Thing(1).method")(10, 20, 30, d=40, z=1, y=(2, [3])[0])
c.eval("Thing").make(n=5).n
c.eval("Thing").static([1])[1][0]
c.eval("Thing(3)").method(a=1)
c.eval("Thing(3)").method()
c.eval("Thing(3)").undocumented().n
c.eval("Thing(3)").function()
c.eval("Thing(3)").prop
c.eval("Thing(3)").n.real
c.eval("Thing")(4).n
c.eval("Thing")(1, 2, 3)
c.eval("Derived(5)")(1, [2][0], k=3)
c.eval("Derived(5)").method(1)
len(c.eval("Derived(5)"))
c.eval("Derived(5)")[1:2]
c.eval("Derived(5)")[1:2, ...]
c.eval("Derived(5)")["key"]
list(c.eval("Derived(5)"))
2 in c.eval("Derived(5)")
3 in c.eval("Derived(5)")
bool(c.eval("Derived(5)"))
bool(c.eval("Thing()"))
bool(c.eval("[]"))
c.eval("Derived(5)") + [1][0]
5 + c.eval("Derived(5)")
operator.iadd(c.eval("Derived(5)"), 3).n
-c.eval("Derived(5)")
int(c.eval("Derived(5)"))
float(c.eval("Derived(5)"))
[0] * c.eval("Derived(1)")
operator.index(c.eval("Derived(5)"))
f'{c.eval("Derived(5)"):>10}'
f'{c.eval("decimal.Decimal(2)"):>10}'
f'{c.eval("[1]")}'
'%s %r' % (c.eval("Derived(5)"), c.eval("Derived(5)"))
c.eval("Derived(5)") == c.eval("Derived(5)")
c.eval("Derived(5)") != c.eval("Derived(5)")
c.eval("Derived(5)") == 5
c.eval("Thing(5)") == c.eval("Thing(5)")
c.eval("[1, 2]") == c.eval("[1, 2]")
c.eval("[1, 2]") == [1, 2]
[1, 2] == c.eval("[1, 2]")
c.eval("[1, 2]") < c.eval("[1, 3]")
c.eval("[1, 2]") < [1, 3]
c.eval("[1, 2]") < 5
c.eval("{1: 2}") < c.eval("{1: 2}")
c.eval("{1}") <= c.eval("{1, 2}")
c.eval("Color.RED") == 1
c.eval("Color.RED") < 2
c.eval("Text('a')") == 'a'
'a' == c.eval("Text('a')")
c.eval("Thing") == c.eval("Thing")
c.eval("object()") is c.eval("object()")
c.eval("Thing") is c.eval("Thing")
c.eval("sys") is c.eval("sys")
req(consts.HANDLE_CMP, c.eval("[1]"), 5)
req(consts.HANDLE_CMP, c.eval("[1]"), [1], "__eq__")
req(consts.HANDLE_CMP, c.eval("[1]"), 5, "__eq__")
req(consts.HANDLE_CMP, c.eval("[1]"), 5, "__lt__")
req(consts.HANDLE_CMP, c.eval("[1]"), 5, "no_such_op")
req(consts.HANDLE_CMP, c.eval("Derived(1)"), 5, "__add__")
req(consts.HANDLE_CMP, c.eval("WithMeta"), 5, "__eq__")
req(consts.HANDLE_CMP, 5, 6, "__lt__")
req(consts.HANDLE_HASH, c.eval("Derived(1)"))
req(consts.HANDLE_HASH, c.eval("[]"))
req(consts.HANDLE_HASH, 5)
req(consts.HANDLE_DIR, c.eval("Guarded()"))
req(consts.HANDLE_DIR, 5)
dir(c.eval("Guarded()"))
req(consts.HANDLE_REPR, 5)
req(consts.HANDLE_STR, (1, [2]))
req(consts.HANDLE_STR, c.eval("Text('x')"))
req(consts.HANDLE_PING, (1, "two"))
req(consts.HANDLE_PING, c.eval("Thing"))
req(consts.HANDLE_GETATTR, c.eval("Thing(5)"), "n")
req(consts.HANDLE_GETATTR, c.eval("Thing(5)"), b"n")
req(consts.HANDLE_GETATTR, c.eval("Thing(5)"), 5)
req(consts.HANDLE_GETATTR, c.eval("Thing(5)"), "no_such")
req(consts.HANDLE_GETATTR, "text", "upper")()
req(consts.HANDLE_SETATTR, c.eval("Thing(5)"), b"x", 5)
req(consts.HANDLE_SETATTR, c.eval("Slots()"), "c", 5)
req(consts.HANDLE_DELATTR, c.eval("Thing(5)"), "no_such")
req(consts.HANDLE_CALL, c.eval("call"), (c.eval("len"), "abc"))
req(consts.HANDLE_CALL, c.eval("dict"), ([(1, 2)],), (("a", 3),))
req(consts.HANDLE_CALL, c.eval("len"), ("abc",), (("obj", 3),))
req(consts.HANDLE_CALL, c.eval("len"), [[1, 2]])
req(consts.HANDLE_CALL, 5, ())
req(consts.HANDLE_CALLATTR, c.eval("Thing(5)"), "method", (1,), (("d", 2),))
req(consts.HANDLE_CALLATTR, "a-b", "split", ("-",))
req(consts.HANDLE_CALLATTR, c.eval("Thing(5)"), "no_such", ())
req(consts.HANDLE_PICKLE, c.eval("[1, 'two']"), 2)
req(consts.HANDLE_PICKLE, c.eval("[1, 'two']"), -1)[:2]
req(consts.HANDLE_PICKLE, c.eval("lambda: 1"), 2)
req(consts.HANDLE_PICKLE, c.eval("threading.Lock()"), 2)
req(consts.HANDLE_BUFFITER, c.eval("iter(range(5))"), 3)
req(consts.HANDLE_BUFFITER, c.eval("iter(range(5))"), 0)
req(consts.HANDLE_BUFFITER, c.eval("iter(range(5))"), 99)
req(consts.HANDLE_BUFFITER, c.eval("[[1], 2]"), 2)[1]
req(consts.HANDLE_BUFFITER, c.eval("iter(range(5))"), -1)
req(consts.HANDLE_BUFFITER, 5, 1)
req(consts.HANDLE_BUFFITER, c.eval("Failing()"), 1)
req(consts.HANDLE_OLDSLICING, c.eval("[1, 2, 3]"), "__getitem__", "__getslice__", 1, None, ())
req(consts.HANDLE_OLDSLICING, c.eval("Old()"), "__getitem__", "__getslice__", 1, None, ())
req(consts.HANDLE_OLDSLICING, c.eval("Old()"), "__getitem__", "__getslice__", 1, 2, ())
req(consts.HANDLE_OLDSLICING, c.eval("Old()"), "__setitem__", "__setslice__", 1, 2, ("v",))
req(consts.HANDLE_OLDSLICING, c.eval("object()"), "__getitem__", "__getslice__", 1, 2, ())
req(consts.HANDLE_CTXEXIT, c.eval("Manager()"), None)
req(consts.HANDLE_CTXEXIT, c.eval("Manager()"), False)
req(consts.HANDLE_CTXEXIT, c.eval("object()"), None)
req(consts.HANDLE_INSTANCECHECK, c.eval("list"), c.eval("[]").____id_pack__)
req(consts.HANDLE_INSTANCECHECK, c.eval("dict"), c.eval("[]").____id_pack__)
req(consts.HANDLE_INSTANCECHECK, c.eval("int"), ("elsewhere.No", 5, 6))
req(consts.HANDLE_GETROOT).__class__.__name__
req(consts.HANDLE_DEL, 5)
req(consts.HANDLE_INSPECT, ("elsewhere.No", 5, 6))
req(77)
req(consts.HANDLE_GETATTR)
isinstance(c.eval("[]"), list)
isinstance(c.eval("[]"), c.builtins.list)
isinstance(c.eval("Derived(1)"), c.eval("Derived"))
isinstance(c.eval("Thing(1)"), c.eval("Derived"))
isinstance(c.eval("Thing"), type)
isinstance(c.eval("Thing"), c.eval("type"))
isinstance(5, c.builtins.int)
isinstance([], c.builtins.list)
isinstance(c.eval("Thing(1)"), c.eval("Thing(1)"))
isinstance(c.eval("Liar()"), list)
isinstance(c.eval("KeyError(1)"), KeyError)
isinstance(c.eval("KeyError(1)"), Exception)
isinstance(c.eval("collections.OrderedDict()"), dict)
c.builtins.isinstance([], c.builtins.list)
c.builtins.isinstance([], (c.builtins.dict, c.builtins.list))
c.builtins.isinstance(Here(), c.builtins.object)
c.builtins.type(c.eval("Thing(1)")).__name__
c.builtins.type([]).__name__
c.builtins.issubclass(c.eval("Derived"), c.eval("Thing"))
issubclass(c.eval("Derived"), c.eval("Thing"))
c.eval("Derived").__mro__[1].__name__
c.eval("Thing").__dict__["shared"][0]
c.eval("Thing(1)").__dict__["n"]
c.eval("Thing(1)").__class__.__name__
c.eval("Thing(1)").__module__
c.eval("Thing").__module__
c.eval("Thing").__qualname__
c.eval("Thing").__doc__
c.eval("Thing(1)").__doc__
c.eval("Thing(1).method").__doc__
type(c.eval("Thing(1)")).method.__doc__
c.eval("Thing(1)").method.__name__
c.eval("Thing.Nested").__qualname__
c.eval("Thing(1)").Nested.__name__
c.eval("Thing(1)").shared[0]
c.eval("Dynamic()").whatever
c.eval("Guarded()").whatever
setattr(c.eval("Guarded()"), "x", 1)
hasattr(c.eval("Thing(1)"), "nope")
hasattr(c.eval("Thing(1)"), "n")
getattr(c.eval("Thing(1)"), "nope", "default")
c.eval("Custom()").anything
c.eval("Custom()").method(1)
delattr(c.eval("Slots()"), "a")
c.eval("[1, 2, 3]")[1:].__class__
c.eval("[1, 2, 3]")[::-1][0]
c.eval("'text'[1:3]")
c.eval("range(10)")[2:8:2]
list(c.eval("range(10)")[2:8:2])
c.eval("{1: 2}")[3]
c.eval("[1]")[5]
c.eval("[1]")["x"]
c.eval("Thing(1)")[0]
len(c.eval("Thing(1)"))
len(c.eval("5"))
iter(c.eval("Thing(1)"))
next(c.eval("generator()"))
list(c.eval("generator()"))
list(c.eval("Iterator()"))
list(c.eval("iter([1, [2]])"))[0]
next(c.eval("iter(())"))
list(buffiter(c.eval("generator()"), 1))
list(buffiter(c.eval("iter(range(100))"), 10))[-1]
c.eval("generator()").send(None)
c.eval("generator()").send(5)
c.eval("generator()").throw(KeyError)
c.eval("generator()").close()
sorted(c.eval("{'b': 1, 'a': 2}"))
dict(c.eval("{'b': 1, 'a': 2}"))
{**c.eval("{'b': 1, 'a': 2}")}
[*c.eval("[1, 2]")]
max(*c.eval("[1, 2]"))
sum(c.eval("[1, 2]"))
tuple(reversed(c.eval("[1, 2]")))
c.eval("[3, 1, 2]").sort()
"a,b".join(c.eval("['x', 'y']"))
b"".join(c.eval("[b'x', b'y']"))
c.eval("'%s'") % 5
[1] + c.eval("[2]")
c.eval("[1]") + [2]
c.eval("[1]") + c.eval("[2]")
c.eval("[1]") * 2
c.eval("decimal.Decimal(1)") + 1
1 + c.eval("decimal.Decimal(1)")
c.eval("decimal.Decimal(1)") + c.eval("decimal.Decimal(2)")
c.eval("datetime.date(2020, 1, 2)") - c.eval("datetime.date(2020, 1, 1)")
round(c.eval("decimal.Decimal('1.55')"), 1)
abs(c.eval("decimal.Decimal(-1)"))
divmod(c.eval("decimal.Decimal(7)"), 2)
c.eval("pathlib.PurePosixPath('/a')") / "b"
c.eval("Color.RED") + 1
c.eval("Color.RED").name
c.eval("Color.RED") | 2
c.eval("Point(1, 2)").x
x_of(*c.eval("Point(1, 2)"))
c.eval("Point(1, 2)") == (1, 2)
c.eval("(1, Thing(2))")[1].n
c.eval("Pair((1, 2))")[1]
c.eval("bytearray(b'xy')")[0]
bytes(c.eval("bytearray(b'xy')"))
bytes(c.eval("array.array('b', [1, 2])"))
str(c.eval("bytearray(b'xy')"), "ascii")
int(c.eval("Text('5')"))
float(c.eval("decimal.Decimal('1.5')"))
complex(c.eval("decimal.Decimal('1.5')"))
range(c.eval("Color.RED"))[0]
[10, 20][c.eval("Color.RED")]
enter(c.eval("Manager()"))
leave(c.eval("Manager()"), None)
with_nothing(c.eval("Manager()"))
with_error(c.eval("Manager()"), KeyError(1))
with_error(c.eval("Manager()"), SystemExit(1))
with_error(c.eval("threading.Lock()"), KeyError(1))
with_nothing(c.eval("Thing()"))
with_nothing(c.eval("contextlib.suppress(KeyError)"))
with_nothing(c.eval("open('/dev/null')"))
rpyc.classic.obtain(c.eval("[1, {2: (3,)}]"))
rpyc.classic.obtain(c.eval("datetime.date(2020, 1, 2)"))
rpyc.classic.obtain(c.eval("Color.RED"))
rpyc.classic.obtain(c.eval("collections.OrderedDict(a=1)"))
rpyc.classic.obtain(c.eval("lambda: 1"))
rpyc.classic.obtain(c.eval("os.path"))
rpyc.classic.deliver(c, {"a": [1]})["a"][0]
pickle.loads(pickle.dumps(c.eval("{1, 2}")))
c.eval("call")(lambda *a, **k: (a, tuple(k.items())), 1, [2][0], z=3)
c.eval("call")(lambda: [1])
c.eval("call")(lambda x: x is HERE, HERE)
c.eval("call")(HERE.method, 1, k=2)
c.eval("call")(Here).n
c.eval("caught")(fail, KeyError("k", 1))
c.eval("caught")(fail, OSError(2, "no", "file"))
c.eval("caught")(fail, HereError("mine", [1]))
c.eval("caught")(fail, StopIteration(5))
c.eval("caught")(fail, SystemExit(3))
c.eval("caught")(fail, UnicodeDecodeError("ascii", b"x", 0, 1, "why"))
c.eval("caught")(lambda: nothing)
c.eval("caught")(HERE)
c.eval("call")(fail, KeyError("through"))
c.eval("call")(fail, HereError("through", 2))
c.eval("call")(fail, StopIteration())
c.eval("call")(fail, SystemExit(3))
c.eval("lambda x: (x.n, x.__class__.__name__, type(x).__name__, repr(x), str(x))")(HERE)
c.eval("lambda x: (type(x).__module__, type(x).__mro__[-1].__name__)")([])
c.eval("lambda x: (isinstance(x, list), x.__class__ is list)")([])
c.eval("lambda x: (isinstance(x, list), x.__class__ is list)")(ListHere())
c.eval("lambda x: (isinstance(x, type), isinstance(x, object), callable(x))")(Here)
c.eval("lambda x: (len(x), x[0], x[-1], 2 in x, list(x), x + [4], x * 2, [0] + x)[:4]")([1, 2])
c.eval("lambda x: [0] + x")([1])
c.eval("lambda x: x + [0]")([1])
c.eval("lambda x: x == [1]")([1])
c.eval("lambda x: [1] == x")([1])
c.eval("lambda x: sorted(x)[0]")([2, 1])
c.eval("lambda x: max(x)")({1: 2, 3: 4})
c.eval("lambda x: json.dumps(x)")([1, 2])
c.eval("lambda x: json.dumps(x)")({"a": 1})
c.eval("lambda x: hash(x)")(HERE)
c.eval("lambda x: hash(x)")([])
c.eval("lambda x: dir(x) == sorted(dir(x)) and 'method' in dir(x)")(HERE)
c.eval("lambda x: bool(x)")(HERE)
c.eval("lambda x: bool(x)")([])
c.eval("lambda x: callable(x)")(HERE)
c.eval("lambda x: callable(x)")(len)
c.eval("lambda x: x.method.__name__")(HERE)
c.eval("lambda x: x.__doc__")(HERE)
c.eval("lambda x: type(x).method.__doc__")(HERE)
c.eval("lambda x: type(x).method.__name__")(HERE)
c.eval("lambda x: x.__dict__['n']")(HERE)
c.eval("lambda x: x.nope")(HERE)
c.eval("lambda x: setattr(x, 'set', 5)")(HERE) or HERE.set
c.eval("lambda x: isinstance(5, x)")(int)
c.eval("lambda x: isinstance(5, x)")(Here)
c.eval("lambda x, y: isinstance(x, y)")(HERE, Here)
c.eval("lambda x, y: isinstance(x, y)")(HERE, int)
c.eval("lambda x, y: issubclass(x, y)")(ListHere, list)
c.eval("lambda x: issubclass(x, list)")(ListHere)
c.eval("lambda x: int(x)")(HERE)
c.eval("lambda x: float(x)")(HERE)
c.eval("lambda x: operator.index(x)")(HERE)
c.eval("lambda x: f'{x:>9}'")(HERE)
c.eval("lambda x: x < 5")(HERE)
c.eval("lambda x: x == 5")(HERE)
c.eval("lambda x: x != 5")(HERE)
c.eval("lambda x: -x")(HERE)
c.eval("lambda x: x + 1")(HERE)
c.eval("lambda x: 1 + x")(HERE)
c.eval("lambda x: x[1:2]")(HERE)
c.eval("lambda x: x[1:2]")([1, 2, 3])[0]
c.eval("lambda x: next(x)")(iter([1]))
c.eval("lambda x: next(x)")(iter([]))
c.eval("lambda x: list(x)")(iter([1, 2]))[1]
c.eval("lambda x: [*x]")(n for n in (1, 2))[1]
c.eval("lambda x: x.send(None)")(n for n in (1, 2))
c.eval("lambda x: dict(x)")({1: 2})[1]
c.eval("lambda x: (lambda **k: k)(**x)")({"a": 2})["a"]
c.eval("lambda x: 'a'.join(x)")(["1", "2"])
c.eval("lambda x: x.__class__.__name__")(5.5)
c.eval("lambda x: __import__('pickle').loads(__import__('pickle').dumps(x))")([1, 2])[1]
c.eval("lambda x: __import__('copy').copy(x)")([1, 2])[1]
c.eval("lambda x: __import__('copy').deepcopy(x)")([1, 2])[1]
c.eval("lambda x: x.__reduce_ex__(2)[0].__name__")([1, 2])
c.eval("lambda x: enter(x)")(HERE)
c.eval("lambda x: repr(type(x))")([])
c.eval("lambda x: repr(type(x))")(HERE)
c.eval("lambda x: x.____id_pack__[0]")(HERE)
c.eval("lambda x: x.____id_pack__[0]")([])
c.eval("lambda x: x.____id_pack__[0]")(sys)
c.eval("lambda x: x.____conn__.__class__.__name__")([])
c.modules.sys.__name__
c.modules["os.path"].__name__
c.modules["no.such.module"]
c.modules.no_such_module
c.modules["xml"].dom.__name__
c.modules["collections.abc"].__name__
"no_such_module" in c.modules
"json" in c.modules
c.builtins.len((1, 2))
c.builtin.open("/no/such/file")
c.execute("assert False, 'why'")
c.execute("x = ")
c.execute("import no_such_module")
c.execute("def")
c.execute(5)
c.eval(5)
c.eval("no_such_name")
c.eval("1 +")
c.eval("__name__")
c.eval("sorted(globals())[0]")
c.namespace["__name__"]
c.namespace["no_such_name"]
c.namespace.get("no_such_name", 5)
"Thing" in c.namespace
c.root.__class__.__name__
c.root.get_service_name()
c.root.get_service_aliases()
c.root.namespace["__name__"]
c.root.getmodule("sys").__name__
c.root.getmodule("no_such_module")
c.root.execute("1")
c.root.eval("1")
c.root.no_such_name
c.root.exposed_eval("1")
setattr(c.root, "x", 1)
delattr(c.root, "eval")
c.root.getconn().root.__class__.__name__
c.root.getconn().closed
c.root.getconn().__class__.__name__
c.root.getconn()._config["allow_all_attrs"]
c.root.getconn().ping()
c.root.getconn().no_such_name
len(c.root.getconn()._config) > 10
c.eval("functools.reduce")(lambda a, b: a + b, [1, 2, 3])
c.eval("functools.partial(int, base=2)")("101")
c.eval("re.compile('a(b)')").match("ab").groups()
c.eval("re.sub")("a", lambda m: m.group().upper(), "banana")
c.eval("threading.Event()").wait(0)
c.eval("socket.socket").__name__
c.eval("itertools.islice")(c.eval("itertools.count(3)"), 2).__next__()
c.eval("weakref.ref(Thing)")() is c.eval("Thing")
c.eval("os.environ")["NO_SUCH"]
c.eval("str.upper")("a")
c.eval("int.__add__")(1, 2)
c.eval("Thing.method")(c.eval("Thing(8)"), 1)
c.eval("type")("Made", (c.eval("Thing"),), {})
c.eval("type")("Made", (), {})
c.eval("classmethod(len)").__func__((1,))
c.eval("Thing.prop").fget(c.eval("Thing(3)"))
c.eval("super(Derived, Derived(1))").method(1)
c.eval("types.ModuleType('made')").__name__
c.eval("types.ModuleType('made')").no_such
c.eval("asyncio.run")(c.eval("coroutine()"))
c.eval("getattr")(c.eval("Thing(5)"), "n")
c.eval("setattr")(c.eval("Thing"), "new", [1]) or c.eval("Thing.new")[0]
c.eval("print")("text", file=PRINTED) or PRINTED.getvalue()
c.eval("isinstance")(c.eval("Derived(1)"), c.eval("Thing"))
c.eval("operator.attrgetter('n')")(HERE)
c.eval("Failing()").__class__.__name__
""".strip().splitlines()

#: Code that raises in the server. All of each exception is compared.
RAISING = """
1 / 0
raise KeyError
raise KeyError('a', 1, None, (2,), [3])
raise OSError(2, 'No such', 'file')
raise OSError
open('/no/such/file')
os.listdir('/no/such/dir')
raise UnicodeDecodeError('ascii', b'x', 0, 1, 'why')
b'\\xff'.decode()
'\\xff'.encode('ascii')
raise Odd(1)
raise Odd('text', b=[1])
raise WithProperty('x')
nest(3)
chained()
during()
raise StopIteration
raise StopIteration(5)
next(iter(()))
raise StopAsyncIteration
raise GeneratorExit
raise SystemExit
raise SystemExit(3)
raise ExceptionGroup('two', [ValueError(1), KeyError(2)])
raise BaseException('base')
raise Exception
raise NotImplementedError('n')
raise ImportError('i', name='n', path='p')
import no_such_module
from os import no_such_name
import os.no_such
[].no_such
no_such
int('x')
[][1]
{}['k']
len()
len(5)
Thing(1).method()
json.loads('[1, ')
re.compile('(')
decimal.Decimal('x')
compile('x = ', 'file', 'exec')
eval('1 +')
compile('if 1:\\n  x\\n y', 'f', 'exec')
assert 1 == 2
assert 1 == 2, ['why']
raise Thing
raise 5
raise ValueError from None
raise Warning('w')
raise DeprecationWarning
raise TimeoutError('t')
raise ConnectionResetError(104, 'reset')
raise EOFError('eof')
raise MemoryError
raise RecursionError('r')
raise json.JSONDecodeError('m', 'doc', 0)
raise type('Made', (Exception,), {})('x')
raise type('Made', (KeyError,), {'extra': 5, '__module__': 'builtins'})('x')
raise uuid.SafeUUID
raise socket.timeout('t')
raise socket.gaierror(1, 'g')
raise asyncio.CancelledError
raise concurrent
with contextlib.suppress(KeyError): raise ValueError(1)
e = ValueError('v'); e.extra = [1]; e.text = 't'; e._private = 1; raise e
e = ValueError('v'); e.__cause__ = KeyError(1); raise e
e = KeyError(1); e.thing = Failing(); raise e
str(Failing())
hash(Failing())
Failing() == 1
""".strip().splitlines()
