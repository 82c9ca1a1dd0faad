"""Content encodings of real servers: decoded in small steps, or rejected with a message."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.worker.inflate import STEP, Inflater
from headgate.worker.payloads import BadPayload, Unstorable

LIMIT = 1_000_000


def bare(data: bytes) -> bytes:
    """Compress as many servers do under `deflate`: without zlib's wrapper."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": bare,
    "identity": bytes,
    "": bytes,
    "none": bytes,
    "utf-8": bytes,
    "ISO-8859-1": bytes,
    "gzip, gzip": lambda x: gzip.compress(gzip.compress(x)),
    "gzip, deflate": lambda x: zlib.compress(gzip.compress(x)),
    "deflate,gzip": lambda x: gzip.compress(bare(x)),
}


def inflated(encoding: str, body: bytes, size: int = 7, limit: int = LIMIT) -> bytes:
    """Decode a body that arrives in pieces."""
    inflater = Inflater([encoding], limit)
    pieces = [
        piece for at in range(0, len(body), size) for piece in inflater.feed(body[at : at + size])
    ]
    inflater.finish()
    assert all(len(x) <= max(STEP, size) for x in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("encoding", PACKERS)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=300), size=st.integers(1, 40), times=st.sampled_from((1, 1000)))
def test_compressed_bodies_are_decoded_however_they_are_split(encoding, data, size, times):
    assert inflated(encoding, PACKERS[encoding](data * times), size) == data * times


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 40))
def test_members_of_gzip_follow_each_other(members, size):
    assert inflated("gzip", b"".join(map(gzip.compress, members)), size) == b"".join(members)


@pytest.mark.parametrize("padding", [b"\0" * 500, b"\n", b"\0\x1f\x8b"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "Deflate"])
def test_padding_at_the_end_is_left_out(encoding, padding):
    for size in (1, 7, 1000):
        assert inflated(encoding, PACKERS[encoding](b"[1]") + padding, size) == b"[1]"


def test_several_headers_are_one_list():
    inflater = Inflater(["deflate", "x-gzip"], LIMIT)

    assert b"".join(inflater.feed(gzip.compress(zlib.compress(b"[1]")))) == b"[1]"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "Deflate", "gzip, gzip"])
def test_a_body_that_ends_too_early_is_broken(encoding):
    whole = PACKERS[encoding](b"[1, 2, 3]" * 50)

    for length in range(1, len(whole)):
        with pytest.raises(BadPayload, match="encoding is broken"):
            inflated(encoding, whole[:length])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_is_not_packed_is_broken(encoding):
    with pytest.raises(BadPayload, match="encoding is broken") as caught:
        inflated(encoding, b"[1, 2, 3]")

    assert (caught.value.outcome, caught.value.fault) == ("retry", "item")


def test_a_body_of_nothing_has_no_encoding():
    assert inflated("gzip", b"") == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "aes128gcm"])
def test_an_unrequested_encoding_is_refused_by_name(encoding):
    with pytest.raises(Unstorable, match=f"encoded as '{encoding.split()[-1]}'"):
        Inflater([encoding], LIMIT)


def test_too_many_nested_encodings_are_refused():
    with pytest.raises(Unstorable, match="4 times over"):
        Inflater(["gzip, gzip", "gzip, gzip"], LIMIT)


def test_no_step_is_large_however_well_it_is_packed():
    assert len(inflated("gzip", gzip.compress(b" " * 5_000_000), 100_000)) == 5_000_000


def test_layers_that_yield_nothing_cannot_continue_for_ever():
    nothing = gzip.compress(b"") * 50_000
    bomb = gzip.compress(nothing)

    assert inflated("gzip, gzip", bomb) == b""
    with pytest.raises(Unstorable, match="larger than 100000 bytes"):
        inflated("gzip, gzip", bomb, limit=100_000)
