"""What providers of webhooks send: their signed bodies, read into logs.

alchemy: a Custom Webhook, whose query must ask for what is read here; or Address Activity, whose
transfers come with raw logs. generic: logs as eth_getLogs answers them, alone or with a chain:
`{"chainId":137,"logs":[…]}`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import msgspec

from appliance.errors import BadRequest
from appliance.pushed import values
from appliance.pushed.values import Wrong
from appliance.rpc.records import LogRecord, read_logs

T = TypeVar("T")
_NETWORKS: Final = {
    "ETH_MAINNET": 1,
    "ETH_SEPOLIA": 11_155_111,
    "ETH_HOLESKY": 17_000,
    "ETH_HOODI": 560_048,
    "OPT_MAINNET": 10,
    "OPT_SEPOLIA": 11_155_420,
    "BNB_MAINNET": 56,
    "BNB_TESTNET": 97,
    "GNOSIS_MAINNET": 100,
    "UNICHAIN_MAINNET": 130,
    "MATIC_MAINNET": 137,
    "MATIC_AMOY": 80_002,
    "FANTOM_MAINNET": 250,
    "ZKSYNC_MAINNET": 324,
    "WORLDCHAIN_MAINNET": 480,
    "BASE_MAINNET": 8_453,
    "BASE_SEPOLIA": 84_532,
    "ARB_MAINNET": 42_161,
    "ARB_SEPOLIA": 421_614,
    "ARBNOVA_MAINNET": 42_170,
    "CELO_MAINNET": 42_220,
    "AVAX_MAINNET": 43_114,
    "AVAX_FUJI": 43_113,
    "LINEA_MAINNET": 59_144,
    "BLAST_MAINNET": 81_457,
    "SCROLL_MAINNET": 534_352,
}
"""Alchemy's names of chains; of another name the one known chain is taken."""
_ADD: Final = (
    "; the webhook's query must ask for block { number timestamp logs { account { address "
)
_QUERY: Final = _ADD + "} topics data index transaction { hash } } }"
_Address = Annotated[str, msgspec.Meta(pattern="^0[xX][0-9a-fA-F]{40}$")]
_Number = int | str
_NULL: Final = msgspec.Raw(b"null")


class _Account(msgspec.Struct):
    address: _Address


class _Transaction(msgspec.Struct):
    hash: str


class _GraphLog(msgspec.Struct):
    account: _Account
    topics: list[str]
    data: str
    index: _Number
    transaction: _Transaction
    removed: bool | None = None


class _GraphBlock(msgspec.Struct):
    number: _Number
    timestamp: _Number
    logs: list[_GraphLog]


class _GraphData(msgspec.Struct):
    block: _GraphBlock


class _Activity(msgspec.Struct):
    log: msgspec.Raw = _NULL


class _Event(msgspec.Struct):
    network: str = ""
    data: msgspec.Raw = _NULL
    activity: list[_Activity] | None = None


class _Notice(msgspec.Struct):
    event: _Event


class _Chained(msgspec.Struct, rename="camel"):
    logs: msgspec.Raw
    chain_id: _Number | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Logs, and the chain that they are of where the body says so."""

    logs: list[LogRecord]
    chain_id: int | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """Who sends: the header with the signature, and how the body is read.

    `read` raises BadRequest for a body of another form.
    """

    header: str
    read: Callable[[bytes], Delivery]


def _alchemy(body: bytes) -> Delivery:
    event = _decoded(body, _Notice, "", "").event
    chain_id = _NETWORKS.get(event.network)
    if event.data != _NULL:
        block = _decoded(event.data, _GraphData, "event.data", _QUERY).block
        return Delivery(_graph_logs(block), chain_id)
    if event.activity is not None:
        return Delivery(_activity_logs(event.activity), chain_id)
    raise BadRequest(
        "event must have data (of a Custom Webhook) or activity (of Address Activity), had neither",
        "event",
    )


def _graph_logs(block: _GraphBlock) -> list[LogRecord]:
    at = "event.data.block"
    number = _natural(block.number, f"{at}.number")
    time = _natural(block.timestamp, f"{at}.timestamp")
    return [
        LogRecord(
            log.account.address.lower(),
            log.topics,
            log.data,
            number,
            "",
            log.transaction.hash.lower(),
            _natural(log.index, f"{at}.logs[{index}].index"),
            time or None,
            bool(log.removed),
        )
        for index, log in enumerate(block.logs)
    ]


def _activity_logs(activity: Sequence[_Activity]) -> list[LogRecord]:
    """Return the logs of transfers, each once: a transfer of several tokens repeats its log."""
    raw = [bytes(each.log) for each in activity if each.log != _NULL]
    found = _logs(b"[" + b",".join(raw) + b"]", "event.activity")
    return list({(log.block_number, log.log_index, log.removed): log for log in found}.values())


def _generic(body: bytes) -> Delivery:
    if not body.lstrip().startswith(b"{"):
        return Delivery(_logs(body, "body"))
    found = _decoded(body, _Chained, "", "")
    chain_id = None if found.chain_id is None else _natural(found.chain_id, "chainId")
    return Delivery(_logs(bytes(found.logs), "logs"), chain_id)


PROVIDERS: Final = {
    "alchemy": Provider("x-alchemy-signature", _alchemy),
    "generic": Provider("x-signature", _generic),
}


def _logs(raw: bytes, what: str) -> list[LogRecord]:
    try:
        return read_logs(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            f"{what} must be a list of logs as eth_getLogs answers them, was not: {error}", what
        ) from None


def _decoded(raw: bytes | msgspec.Raw, form: type[T], what: str, cure: str) -> T:
    try:
        return msgspec.json.decode(raw, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        place = str(error).replace("`$", f"`{what or 'body'}")
        message = f"body must be what the provider sends, was not: {place}{cure}"
        raise BadRequest(message, what or None) from None


def _natural(value: Any, what: str) -> int:
    try:
        number = values.integer(value)
    except Wrong as error:
        raise BadRequest(f"{what} {error}, was {value!a}"[:200], what) from None
    if not 0 <= number < 1 << 63:
        raise BadRequest(f"{what} must be from 0 to 2^63 - 1, was {number}"[:200], what)
    return number
