"""Take trades over HTTP: `POST /api/trades`, as JSON or one trade a line, all or nothing."""

import asyncio
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import msgspec
import pyarrow as pa
import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest, UnknownSymbol
from appliance.files.symbol import canonical_symbol
from appliance.files.trades import AHEAD_US, Intake, Trade, convert
from appliance.model import MarketSpec, Receipt, plain
from appliance.store.catalogue import DEMO_EXCHANGE, Catalogue
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

    @routes.post("/trades", stream=True)
    async def post_trades(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "write")
        body = await bodies.read(request, parts.settings.max_request_size)
        kind = request.headers.get("content-type", "")
        trades = await asyncio.to_thread(decode, body, kind)
        receipt = await _submit(parts, trades, arrival) if trades else Receipt(0, 0)
        return answer(request, asdict(receipt), cache="no-store")

    return routes


async def _submit(parts: Parts, trades: list[Trade], arrival: Iterator[int]) -> Receipt:
    markets = known_markets(parts.catalogue, trades, create=parts.settings.auto_create_markets)
    latest_us = time.time_ns() // 1_000 + AHEAD_US
    table, specs = await asyncio.to_thread(_convert, trades, Intake(markets, latest_us, arrival))
    return await parts.ingest.submit(table, specs, SOURCE)


def _convert(trades: list[Trade], intake: Intake) -> tuple[pa.Table, tuple[MarketSpec, ...]]:
    return convert(trades, intake)


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
