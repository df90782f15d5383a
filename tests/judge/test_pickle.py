"""CPython and numpy judge the pickles that the library writes, and the library reads theirs."""

import json
import pickle
import pickletools
import random
import subprocess

import pytest
from conftest import BUILD, JUDGE, missing

PROBE = BUILD / "tests/programs/pickle_probe"
NUMPY_MISSING = "METAFLOW_JUDGE_PYTHON names no interpreter with numpy"


def probe(*arguments):
    if not PROBE.exists():
        missing("pickle_probe is not built: ./dev build")
    return subprocess.run([PROBE, *arguments], capture_output=True, check=True).stdout


@pytest.fixture(scope="session")
def judge():
    """Runs a script with the interpreter that has numpy; hands back what it prints as JSON."""
    if not JUDGE.exists() or subprocess.run([JUDGE, "-c", "import numpy"], capture_output=True).returncode != 0:
        missing(NUMPY_MISSING)

    def run(script, stdin=b""):
        done = subprocess.run([JUDGE, "-c", script], input=stdin, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run


@pytest.fixture
def stored(tmp_path):
    def store(data):
        path = tmp_path / "value.pickle"
        path.write_bytes(data)
        return str(path)

    return store


# Built at run time where that keeps CPython from sharing equal strings, which its pickles would show.
VALUES = {
    "none": None,
    "booleans": [True, False],
    "small ints": [0, 255, 256, 65535, 65536, -1, -128, -129, -32769],
    "ints around 32 bits": [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32],
    "ints around 64 bits": [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64],
    "big ints": [2**70, -(2**70), 2**2040, -(2**2100), 10**100],
    "floats": [0.0, -0.0, 1.5, 1e16, 1e15, 123456789.123, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, float("inf")],
    "more floats": [0.1 + 0.2, 1 / 3, -2.5e-10, 100.0, 1e22, 1e21, float("-inf")],
    "text": ["", "it's", 'say "x"', "both ' and \"", "tab\tline\nback\\", "\x00\x7f\x1b"],
    "text beyond ASCII": ["Grüße", "日本語", "😀", "\u00a0\u00ad\u200b\u2028", "\U000e0001"],
    "long text": ["x" * 255, "x" * 256, "é" * 200],
    "text outside frames": ["a", "y" * 65535, "b", "y" * 65536, "c", "ü" * 70000],
    "bytes": [b"", b"ab\x00\xff'", b"z" * 256, b"q" * 66000],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
    "lists": [[], [1], [1, [2, [3]]]],
    "list of 999": list(range(999)),
    "list of 1000": list(range(1000)),
    "list of 1001": list(range(1001)),
    "list of 2001 texts": ["text %d" % i for i in range(2001)],
    "dicts": [{}, {"a": 1}, {"b": 1, "c": [2]}, {1: None, (2, 3): {}}],
    "dict of 1000": {i: i * 0.5 for i in range(1000)},
    "dict of 1001": {i: None for i in range(1001)},
    "sets": [set(), {1}, {1.5}],
    "set of 1000": set(range(1000)),
    "set of 1001": set(range(1001)),
    "frozensets": [frozenset({1})],
    "frames": ["v%050d" % i for i in range(5000)],
    "nested": {"rows": [{"id%d" % i: i, "tags%d" % i: ["t%d" % i, (None, True)]} for i in range(50)]},
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", VALUES)
def test_what_python_wrote_is_shown_as_python_shows_it(name, protocol, stored):
    value = VALUES[name]
    assert probe("repr", stored(pickle.dumps(value, protocol))).decode() == repr(value)


@pytest.mark.parametrize("name", VALUES)
def test_what_is_written_again_has_the_same_types_and_values(name, stored):
    value = VALUES[name]
    again = pickle.loads(probe("again", stored(pickle.dumps(value, 4))))
    assert repr(again) == repr(value)
    assert type(again) is type(value)


def has_shared_parts(data):
    return any(opcode.name in ("BINGET", "LONG_BINGET") for opcode, _, _ in pickletools.genops(data))


# CPython shares equal constants in some.
UNSHARED = [name for name, value in VALUES.items() if not has_shared_parts(pickle.dumps(value, 4))]


@pytest.mark.parametrize("name", UNSHARED)
def test_values_without_shared_parts_get_the_bytes_that_python_writes(name, stored):
    data = pickle.dumps(VALUES[name], 4)
    assert probe("again", stored(data)) == data


def random_value(random, depth=0):
    kinds = ["none", "bool", "int", "float", "text", "bytes"] + (["list", "tuple", "dict", "set"] if depth < 4 else [])
    kind = random.choice(kinds)
    if kind == "none":
        return None
    if kind == "bool":
        return random.random() < 0.5
    if kind == "int":
        return random.randrange(-(2 ** random.randrange(1, 90)), 2 ** random.randrange(1, 90))
    if kind == "float":
        return random.uniform(-1, 1) * 10.0 ** random.randrange(-20, 20)
    if kind == "text":
        return "".join(chr(random.choice([random.randrange(32, 127), random.randrange(0xC0, 0x17F)])) for _ in range(9))
    if kind == "bytes":
        return random.randbytes(random.randrange(2, 400))
    items = [random_value(random, depth + 1) for _ in range(random.randrange(6))]
    if kind == "list":
        return items
    if kind == "tuple":
        return tuple(items)
    if kind == "dict":
        return {str(random.random()): item for item in items}
    return {random.randrange(10**9) for _ in items}


@pytest.mark.parametrize("seed", range(30))
def test_random_values_survive_both_ways(seed, stored):
    value = random_value(random.Random(seed))
    assert probe("repr", stored(pickle.dumps(value, seed % 6))).decode() == repr(value)
    assert repr(pickle.loads(probe("again", stored(pickle.dumps(value, 4))))) == repr(value)


@pytest.mark.parametrize("dtype", "|b1 |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8 <f4 <f8 <c8 <c16".split())
def test_arrays_are_numpy_arrays_that_may_be_written_to(dtype, judge):
    seen = judge(
        "import pickle, sys, json, numpy\n"
        "a = pickle.load(sys.stdin.buffer); known = a.astype(complex).real.tolist(); a[0, 0] = 1\n"
        "print(json.dumps([type(a).__name__, a.dtype.str, a.shape, known, bool(a.flags.writeable), bool(a.flags.aligned)]))",
        probe("array", dtype),
    )
    items = [[0, 1, 1], [1, 1, 1]] if dtype == "|b1" else [[0, 1, 2], [3, 4, 5]]
    assert seen == ["ndarray", dtype, [2, 3], items, True, True]


def test_large_arrays_survive_beside_large_text_and_bytes(judge):
    seen = judge(
        "import pickle, sys, json\n"
        "a, text, data, b, end = pickle.load(sys.stdin.buffer)\n"
        "a[0, 0] = 5\n"
        "print(json.dumps([a.shape, len(text), len(data), b.shape, float(b.sum()), end, bool(a.flags.c_contiguous)]))",
        probe("large", ""),
    )
    assert seen == [[1000, 1000], 70000, 80000, [1000, 1000], 0.0, "end", True]


NUMPY_VALUES = {
    "integers": ("numpy.arange(6, dtype='<i4').reshape(2, 3)", "array([[0, 1, 2], [3, 4, 5]])"),
    "Fortran order": ("numpy.asfortranarray(numpy.arange(6).reshape(2, 3))", "array([[0, 1, 2], [3, 4, 5]])"),
    "big endian": ("numpy.array([1.5, -2], dtype='>f8')", "array([1.5, -2.0])"),
    "halves": ("numpy.array([1.5, 65504, 6e-8], dtype='f2')", "array([1.5, 65504.0, 5.960464477539063e-08])"),
    "booleans": ("numpy.array([True, False])", "array([True, False])"),
    "text": ("numpy.array(['a', 'ünï'])", "array(['a', 'ünï'])"),
    "scalar": ("numpy.float64(2.5)", "2.5"),
    "shared": ("[numpy.zeros(2)] * 2", "[array([0.0, 0.0]), array([0.0, 0.0])]"),
    "list": ("[numpy.zeros(1), numpy.ones(1, 'i2')]", "[array([0.0]), array([1])]"),
    "three axes": (
        "numpy.asfortranarray(numpy.arange(8).reshape(2, 2, 2))",
        "array([[[0, 1], [2, 3]], [[4, 5], [6, 7]]])",
    ),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", NUMPY_VALUES)
def test_numpy_values_are_read(name, protocol, stored, judge):
    expression, shown = NUMPY_VALUES[name]
    script = f"import numpy, pickle, json; print(json.dumps(pickle.dumps({expression}, {protocol}).hex()))"
    assert probe("repr", stored(bytes.fromhex(judge(script)))).decode() == shown


def test_unknown_classes_are_shown_and_never_run(stored, tmp_path):
    mark = tmp_path / "mark"
    data = b"cos\nsystem\n(S'touch %s'\ntR." % str(mark).encode()
    assert b"os.system" in probe("repr", stored(data))
    assert not mark.exists()
