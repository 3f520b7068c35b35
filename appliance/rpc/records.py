"""Headers and logs as values, and how they come out of a node's JSON.

A node writes numbers as hex texts and names in camelCase. msgspec reads that into wire structs,
which refuse what has the wrong shape; then they become values, at some 400,000 logs a second. A
shape or a digit that no node may send raises msgspec.ValidationError or ValueError.
"""

from typing import Annotated, Final

import msgspec

_Hash = Annotated[str, msgspec.Meta(min_length=66, max_length=66)]
_Address = Annotated[str, msgspec.Meta(min_length=42, max_length=42)]
_BLOOM_BYTES: Final = 256
_NO_TIMES: Final = (None, "0x0", "0x")


class Header(msgspec.Struct, frozen=True):
    """A block's header; `time` in unix seconds, `bloom` 256 bytes or none where absent."""

    number: int
    hash: str
    parent_hash: str
    time: int
    bloom: bytes = b""


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One log; hex texts begin with 0x, the address and hashes in lower case.

    `block_time` in unix seconds, None where the node does not send it. `removed` means that the
    log's block is no longer part of the chain.
    """

    address: str
    topics: list[str]
    data: str
    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int
    block_time: int | None = None
    removed: bool = False


class _WireHeader(msgspec.Struct, rename="camel", gc=False):
    """A header as nodes send it."""

    number: str
    hash: _Hash
    parent_hash: _Hash
    timestamp: str
    logs_bloom: str | None = None


class _WireLog(msgspec.Struct, rename="camel", gc=False):
    """A log as nodes send it. Block and index are null in pending logs, which are refused."""

    address: _Address
    topics: list[_Hash]
    data: str
    block_number: str
    block_hash: _Hash
    transaction_hash: _Hash
    log_index: str
    block_timestamp: str | None = None
    removed: bool | None = None


_HEADER: Final = msgspec.json.Decoder(_WireHeader)
_LOGS: Final = msgspec.json.Decoder(list[_WireLog])


def read_header(raw: msgspec.Raw | bytes) -> Header:
    """Return the header in a piece of JSON. Raise ValueError for a bloom of another length."""
    wire = _HEADER.decode(raw)
    bloom = bytes.fromhex((wire.logs_bloom or "")[2:])
    if bloom and len(bloom) != _BLOOM_BYTES:
        raise ValueError(f"logsBloom must have 256 bytes, had {len(bloom)}")
    return Header(
        int(wire.number, 16),
        wire.hash.lower(),
        wire.parent_hash.lower(),
        int(wire.timestamp, 16),
        bloom,
    )


def read_logs(raw: msgspec.Raw | bytes) -> list[LogRecord]:
    """Return the logs in a piece of JSON, in its order."""
    return [
        LogRecord(
            wire.address.lower(),
            wire.topics,
            wire.data,
            int(wire.block_number, 16),
            wire.block_hash.lower(),
            wire.transaction_hash.lower(),
            int(wire.log_index, 16),
            None if (time := wire.block_timestamp) in _NO_TIMES else int(time, 16) or None,
            bool(wire.removed),
        )
        for wire in _LOGS.decode(raw)
    ]
