"""Take trades over HTTP: `POST /api/trades`, as JSON or one trade a line, all or nothing.

With an `Idempotency-Key` (store/idempotency.py) also trades without ids may be sent again.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import msgspec
import pyarrow as pa
import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest, RequestError, UnknownSymbol
from appliance.files.symbol import canonical_symbol
from appliance.files.trades import AHEAD_US, Intake, Trade, convert
from appliance.model import MarketSpec, Receipt, plain
from appliance.store.catalogue import DEMO_EXCHANGE, Catalogue
from appliance.store.idempotency import HEADER, Keyed, Keys, keyed
from appliance.web import body as bodies
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

SOURCE: Final = "api"
_LINE_TYPES: Final = ("ndjson", "jsonl", "jsonlines")
_PLACE: Final = re.compile(r"(.*) - at `\$(?:\.trades)?\[([0-9]+)\](?:\.(\w+))?.*`")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")


class Batch(msgspec.Struct):
    """The JSON form of a request."""

    trades: list[Trade]


_batch = msgspec.json.Decoder(Batch)
_line = msgspec.json.Decoder(Trade)


def blueprint(parts: Parts) -> Blueprint:
    """Return the route."""
    routes = Blueprint("trades", url_prefix="/api")
    arrival = itertools.count(time.time_ns())  # goes on where it was before a restart
    keys = Keys(parts.settings.data_dir)

    @routes.after_server_stop
    async def close_keys(*_: Any) -> None:
        keys.close()

    @routes.post("/trades", stream=True)
    async def post_trades(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "write")
        body = await bodies.read(request, parts.settings.max_request_size)
        name = request.headers.get(HEADER)
        again = None if name is None else keyed(name, body)
        kind = request.headers.get("content-type", "")
        trades = await asyncio.to_thread(decode, body, kind)
        table, specs = await _converted(parts, trades, arrival, again)
        submit = partial(parts.ingest.submit, table, specs, SOURCE)
        if not trades:
            receipt = Receipt(0, 0)
        elif again is None:
            receipt = await submit()
        else:
            receipt = await _submit_keyed(submit, keys, again)
        return answer(request, asdict(receipt), cache="no-store")

    return routes


async def _converted(
    parts: Parts, trades: list[Trade], arrival: Iterator[int], again: Keyed | None
) -> tuple[pa.Table, tuple[MarketSpec, ...]]:
    markets = known_markets(parts.catalogue, trades, create=parts.settings.auto_create_markets)
    latest_us = time.time_ns() // 1_000 + AHEAD_US
    if again is not None:
        for row, trade in enumerate(trades):
            if trade.id is None and trade.block_number is None:
                trade.id = again.trade_id(row)
    return await asyncio.to_thread(convert, trades, Intake(markets, latest_us, arrival))


async def _submit_keyed(
    submit: Callable[[], Awaitable[Receipt]], keys: Keys, request: Keyed
) -> Receipt:
    """Submit a request whose key is noted before, and free again if the request is refused."""
    is_new = await asyncio.to_thread(keys.bind, request)
    try:
        return await submit()
    except RequestError:
        if is_new:
            await asyncio.to_thread(keys.release, request)
        raise


def decode(body: bytes, content_type: str) -> list[Trade]:
    """Return the trades of a body: `{"trades":[…]}`, or one object a line if the type says so.

    Raises:
        BadRequest: the body is not JSON, or a field has the wrong type.
    """
    lines = any(name in content_type.lower() for name in _LINE_TYPES)
    try:
        return _line.decode_lines(body) if lines else _batch.decode(body).trades
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        form = "one JSON object a line" if lines else '{"trades":[…]} or, as NDJSON, lines'
        raise BadRequest(f"body must be {form}, was not: {error}") from None


def _wrong_type(message: str) -> BadRequest:
    """Return msgspec's message as one that names the trade and the field first."""
    found = _PLACE.fullmatch(message)
    if found is None:
        return BadRequest(f'body must be {{"trades":[…]}}: {message}', "trades")
    missing = _MISSING.fullmatch(found[1])
    field = missing[1] if missing else found[3]
    place = f"trades[{found[2]}]" + (f".{field}" if field else "")
    problem = "must be given" if missing else f"is wrong: {found[1].lower()}"
    return BadRequest(f"{place} {problem}", place)


def known_markets(
    catalogue: Catalogue, trades: list[Trade], *, create: bool
) -> dict[str, MarketSpec]:
    """Return the markets that the symbols of `trades` name, by symbol as sent.

    Raises:
        UnknownSymbol: a market does not exist and must not be created.
        BadRequest: a symbol names several markets.
    """
    markets: dict[str, MarketSpec] = {}
    for symbol in dict.fromkeys(trade.symbol for trade in trades):
        try:
            market = catalogue.resolve(symbol)
            if not _same(symbol, market.symbol) or market.spec.exchange == DEMO_EXCHANGE:
                raise UnknownSymbol(symbol[:64])  # an invented market gives its name away
            markets[symbol] = market.spec
        except UnknownSymbol:
            if not create:
                raise
    return markets


def _same(written: str, symbol: str) -> bool:
    """Return whether a written symbol means the market it was found as.

    Reading, A-B may stand for AB. Writing, it is another market.
    """
    name = written.rpartition(":")[2].strip()
    return name.upper() == plain(name) or canonical_symbol(name) == symbol
