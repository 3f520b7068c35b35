"""`appliance import`: a file's trades into the store, through the running server if there is."""

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from appliance import running
from appliance.chain import preset as presets
from appliance.chain.market import ContractMarket
from appliance.errors import BadRequest, Retryable
from appliance.files.columns import parse_mapping
from appliance.files.importer import Rows, TradeRows, decoded, import_file
from appliance.files.log_rows import LogRows
from appliance.files.symbol import assets, canonical_symbol
from appliance.files.wire import CONTENT_TYPE
from appliance.metrics import Metrics
from appliance.model import MarketSpec, Receipt
from appliance.progress import bars
from appliance.settings import Settings
from appliance.store.catalogue import DEMO_EXCHANGE
from appliance.store.store import Store

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_DECIMALS: Final = re.compile(r"([0-9]{1,2}),([0-9]{1,2})")
_DECIMALS_MAX: Final = 77  # 10^77 is the largest power of ten below 2^256
_CHAIN_ID: Final = re.compile(r"[1-9][0-9]{0,17}")
_EXCHANGE: Final = re.compile(r"[A-Z0-9._-]{1,32}")
_PATH: Final = "/api/admin/trades"


def run(settings: Settings, options: argparse.Namespace) -> str:
    """Import the file that `options` name and return the summary for a person.

    Raises:
        BadRequest: an argument or a line of the file is wrong; nothing was stored.
        Conflict: a trade is stored already, with other content.
        Retryable: the store or the server failed; importing again continues.
    """
    path: Path = options.file
    if not path.is_file():
        raise BadRequest(f"FILE must be a file that exists, was {str(path)!r}", "file")
    rows = _trade_rows(options) if options.preset is None else _log_rows(options)
    running.prepare(settings.data_dir)
    with _sink(settings) as submit, bars() as progress:
        summary = import_file(path, rows, submit, settings.data_dir / "tmp", progress)
    return summary.sentence()


def _trade_rows(options: argparse.Namespace) -> TradeRows:
    for name in ("address", "key", "decimals", "invert", "price", "chain_id"):
        if getattr(options, name):
            flag = name.replace("_", "-")
            raise BadRequest(f"--{flag} goes with --preset, for raw logs", name)
    symbol = canonical_symbol(options.market, "--market") if options.market else ""
    return TradeRows(options.file, parse_mapping(options.map), symbol, _exchange(options))


def _log_rows(options: argparse.Namespace) -> Rows:
    if not _ADDRESS.fullmatch(options.address):
        raise BadRequest(
            f"--address must be the contract's address, 0x and 40 hex digits, "
            f"was {options.address!r}",
            "address",
        )
    if not options.market:
        raise BadRequest("--market must name the market of these logs, like WETH/USDC", "market")
    if options.map:
        raise BadRequest("--map goes with files of trades, without --preset", "map")
    given = Path(options.preset)
    preset = presets.load(given) if given.suffix == ".toml" else presets.built_in(options.preset)
    symbol = canonical_symbol(options.market, "--market")
    base, quote = assets(symbol)
    spec = MarketSpec(
        symbol,
        exchange=_exchange(options) or preset.name.upper(),
        chain_id=_chain_id(options.chain_id or "1"),
        contract=options.address.lower(),
        base=base,
        quote=quote,
        order="chain",
    )
    market = ContractMarket(
        *(options.address, spec, preset, *_decimals(options.decimals or "18,18")),
        invert=options.invert,
        price_rule=options.price,
        key=_key(options.key),
    )
    return LogRows(market)


def _key(text: str) -> str:
    """Return a market's id inside a contract: an address, a number, or 0x and 64 digits."""
    if not text:
        return ""
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 256:
        raise BadRequest(
            f"--key must be the market's id or token, in hex (0x…) or as a number, was {text!r}",
            "key",
        )
    return f"0x{number:064x}"


def _exchange(options: argparse.Namespace) -> str:
    """Return the exchange in upper case, empty if none was named."""
    exchange: str = options.exchange.upper()
    if exchange == DEMO_EXCHANGE or (exchange and not _EXCHANGE.fullmatch(exchange)):
        raise BadRequest(
            f"--exchange must be up to 32 letters, digits and . _ - and not {DEMO_EXCHANGE}, "
            f"was {options.exchange!r}",
            "exchange",
        )
    return exchange


def _chain_id(text: str) -> int:
    if not _CHAIN_ID.fullmatch(text):
        raise BadRequest(f"--chain-id must be a whole number above 0, was {text!r}", "chain_id")
    return int(text)


def _decimals(text: str) -> tuple[int, int]:
    found = _DECIMALS.fullmatch(text)
    if found is None or max(map(int, found.groups())) > _DECIMALS_MAX:
        raise BadRequest(
            f"--decimals must be two numbers up to {_DECIMALS_MAX} like 6,18, was {text!r}",
            "decimals",
        )
    return int(found[1]), int(found[2])


@contextmanager
def _sink(settings: Settings) -> Iterator[Callable[[bytes], Receipt]]:
    """Yield what stores an encoded submission: the running server, or the store itself."""
    if server := running.find(settings.data_dir):
        yield lambda submission: _send(server, submission)
        return
    store = Store(settings, Metrics(), publish=lambda commit: None)
    store.open()
    try:
        yield lambda submission: store.writer.submit(*decoded(submission)).result()
    finally:
        store.close()


def _send(server: running.Running, submission: bytes) -> Receipt:
    status, body = running.post(server, _PATH, submission, CONTENT_TYPE)
    if status != 200:
        raise running.refusal(status, body)
    try:
        return msgspec.json.decode(body, type=Receipt)
    except (msgspec.MsgspecError, ValueError):
        raise Retryable("the server answered 200 with something else than a receipt") from None
