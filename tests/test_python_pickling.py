"""Artifacts as pickles: which bytes, and how many copies of them."""

import gc
import pickle
from collections import OrderedDict

import numpy
import pytest
import python_package  # noqa: F401
from metaflow import _engine
from metaflow._pickling import UnpicklableArtifactException, artifact_pieces, pickle_pieces, unpickled

LARGE = 100_000


def joined(value):
    return b"".join(bytes(piece) for piece in pickle_pieces(value))


@pytest.mark.parametrize(
    "value", [None, 1, "a", [1, {"x": (2, 3)}], {1, 2}, OrderedDict(a=1), b"x" * LARGE, "y" * LARGE]
)
def test_plain_values_are_pickled_by_protocol_4_as_always(value):
    assert joined(value) == pickle.dumps(value, 4)


def test_small_arrays_are_pickled_by_protocol_4():
    array = numpy.arange(10)
    assert joined([array])[:2] == b"\x80\x04"
    assert (pickle.loads(joined([array]))[0] == array).all()


@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: {"a": [array]}])
def test_large_arrays_are_not_copied(wrap):
    array = numpy.arange(LARGE, dtype="f8")
    pieces = pickle_pieces(wrap(array))
    assert any(
        numpy.shares_memory(numpy.frombuffer(piece, "u1"), array) for piece in pieces if len(memoryview(piece)) >= LARGE
    )


@pytest.mark.parametrize(
    "array",
    [
        numpy.arange(LARGE).reshape(100, -1)[::2, 1::3],
        numpy.asfortranarray(numpy.arange(LARGE, dtype="f4").reshape(100, -1)),
        numpy.array(["a", None] * LARGE, dtype=object),
        numpy.zeros(LARGE, dtype=[("x", "f8"), ("y", "i2")]),
        numpy.ma.masked_array(numpy.arange(LARGE), mask=[True] * LARGE),
    ],
    ids=["strided", "fortran", "objects", "records", "masked"],
)
def test_every_array_comes_back_as_it_was(array):
    back = pickle.loads(joined(array))
    assert type(back) is type(array) and back.dtype == array.dtype and back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_a_large_array_comes_back_writable():
    back = pickle.loads(joined(numpy.arange(LARGE)))
    back[0] = 5
    assert back[0] == 5


def test_equal_arrays_have_equal_bytes():
    assert joined(numpy.arange(LARGE)) == joined(numpy.arange(LARGE))


class Holder:
    def __init__(self, part):
        self.part = part


def test_the_part_that_cannot_be_pickled_is_named():
    with pytest.raises(UnpicklableArtifactException) as error:
        artifact_pieces("model", Holder({"a": [1, (x for x in ())]}))
    assert "artifact 'model'" in str(error.value)
    assert "self.model.part['a'][1] is of type <class 'generator'>" in str(error.value)


def test_a_value_that_holds_itself_and_cannot_be_pickled_is_still_an_error():
    loop = [lambda: 1]
    loop.append(loop)
    with pytest.raises(UnpicklableArtifactException):
        artifact_pieces("loop", loop)


def stored(pickled: bytes) -> _engine.EngineBuffer:
    """As the engine hands it out."""
    return _engine.EngineBuffer(_engine.library().metaflow_buffer_new(pickled, len(pickled)))


@pytest.mark.parametrize("count", [1, 7, LARGE, LARGE + 1])
@pytest.mark.parametrize("kind", ["f8", "c16", "i2"])
def test_a_large_array_stays_where_the_engine_has_put_it(count, kind):
    array = numpy.arange(count).astype(kind)
    buffer = stored(joined(array))
    memory = numpy.frombuffer(buffer.view(), "u1")
    back = unpickled(buffer)
    assert numpy.shares_memory(back, memory) == (array.nbytes >= 64 * 1024)
    del buffer, memory
    gc.collect()
    assert (back == array).all() and back.flags.aligned and back.flags.writeable
    back += 1
    assert (back == array + 1).all()


@pytest.mark.parametrize(
    "value",
    [
        bytearray(LARGE),
        {"a": numpy.arange(LARGE)},
        [numpy.arange(LARGE)] * 2,
        numpy.arange(LARGE).reshape(100, -1, order="F"),
        numpy.zeros(LARGE, dtype=[("x", "f8"), ("y", "i2")]),
        numpy.array(["a", None] * LARGE, dtype=object),
    ],
    ids=["bytearray", "dict", "twice", "fortran", "records", "objects"],
)
def test_all_else_comes_back_as_pickle_makes_it(value):
    back, expected = unpickled(stored(joined(value))), pickle.loads(joined(value))
    assert type(back) is type(expected)
    assert pickle.dumps(back) == pickle.dumps(expected)


def test_an_array_that_was_cut_is_an_error():
    with pytest.raises(pickle.UnpicklingError):
        unpickled(stored(joined(numpy.arange(LARGE))[:-1000]))
