"""From what was sent to batches: each event finds its contract, its market and its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.chain.log import Log
from appliance.chain.market import ContractMarket
from appliance.errors import BadRequest, UnknownSymbol
from appliance.files.checks import BLOCK_LIMIT, EARLIEST_US, LATEST_US, LOG_LIMIT, LONGEST_TEXT
from appliance.model import Order
from appliance.pushed.batch import Batch, Entry, made_id
from appliance.pushed.book import Book, Hints, Place, Site, Undecided
from appliance.pushed.encode import Encoded, Mistake, encode
from appliance.pushed.event import PushedEvent
from appliance.pushed.words import key_of
from appliance.rpc.records import LogRecord

_Spot = tuple[int, str, str]
"""Chain id, contract and key of a market."""
_WORDS: Final[dict[Order, str]] = {"chain": "block and log index", "time": "time"}


@dataclass(slots=True)
class Batches:
    """What is to be decoded, by chain and order, and how much of what was sent is not."""

    ignored: int = 0
    followed: int = 0
    foreign: int = 0
    sites_followed: set[Place] = field(default_factory=set)
    _by_order: dict[tuple[int, Order], Batch] = field(default_factory=dict)

    @property
    def all(self) -> list[Batch]:
        """Return the batches."""
        return list(self._by_order.values())

    def leave(self, site: Site) -> None:
        """Count an event that the follower of its contract reads by itself."""
        self.followed += 1
        self.sites_followed.add((site.chain_id, site.address))

    def put(self, site: Site, order: Order, entry: Entry, market: ContractMarket | None) -> None:
        """Add an entry of a contract; `market` None: its log does not tell one."""
        key = site.chain_id, order
        batch = self._by_order.setdefault(key, Batch(site.chain_id, order))
        batch.sites[site.address] = site
        batch.entries.append(entry)
        if market is not None:
            batch.markets[site.address, market.key] = market


@dataclass(frozen=True, slots=True)
class _Found:
    """An event, the contract that it is of, and its log."""

    index: int
    event: PushedEvent
    site: Site
    encoded: Encoded
    key: str

    @property
    def spot(self) -> _Spot:
        return self.site.chain_id, self.site.address, self.key


def of_events(events: Sequence[PushedEvent], book: Book, *, create: bool) -> Batches:
    """Return batches of events; with `create`, those of strangers make markets.

    Raises:
        BadRequest: an event is wrong; the first is named.
        UnknownSymbol: a contract is not known, and no market may be made of it.
    """
    batches, found = Batches(), list[_Found]()
    hints: dict[_Spot, Hints] = {}
    for index, event in enumerate(events):
        site = _site(event, book, create=create)
        if site.followed:
            batches.leave(site)
            continue
        encoded = _encoded(event, site)
        if encoded is None:
            batches.ignored += 1
            continue
        key = key_of(encoded.event, encoded.topics, encoded.data) if site.preset.keyed else ""
        found.append(_Found(index, event, site, encoded, key))
        known, spot = hints.get(found[-1].spot, Hints()), found[-1].spot
        hints[spot] = Hints(known.symbol or event.symbol, known.decimals or event.decimals)
    _put_events(batches, found, hints, book)
    return batches


def _put_events(
    batches: Batches, found: Iterable[_Found], hints: dict[_Spot, Hints], book: Book
) -> None:
    """Give each event its market, which has the order that it began with."""
    markets: dict[_Spot, tuple[ContractMarket, Order]] = {}
    for each in found:
        event, spot = each.event, each.spot
        order: Order = "time" if event.log_index is None else "chain"
        if spot not in markets:
            market = _market(event, book, each.site, each.key, hints[spot])
            stored = book.stored(market)
            markets[spot] = market, order if stored is None else stored.spec.order
        market, known = markets[spot]
        if known != order:
            raise _mixed(event, market.spec.symbol, known)
        batches.put(each.site, order, _entry(each.index, event, each.encoded), market)


def of_logs(records: Sequence[LogRecord], chain_id: int, book: Book) -> Batches:
    """Return batches of the logs of one chain; those that were removed are ignored.

    Raises:
        BadRequest: the time of a block or the tokens of a market are not known.
    """
    batches = Batches()
    for index, record in enumerate(records):
        site = book.site(chain_id, record.address, create=False)
        if record.removed:
            batches.ignored += 1
        elif site is None:
            batches.foreign += 1
        elif site.followed:
            batches.leave(site)
        else:
            _put_log(batches, index, record, site, book)
    return batches


def _put_log(batches: Batches, index: int, record: LogRecord, site: Site, book: Book) -> None:
    topic0 = record.topics[0].lower() if record.topics else ""
    event = site.preset.events.get(topic0)
    if event is None:
        batches.ignored += 1
        return
    log = Log(
        record.block_number,
        _block_time_us(index, record),
        record.transaction_hash,
        record.log_index,
        site.address,
        record.topics,
        record.data,
    )
    key = key_of(event, log.topics, log.data)
    market = None
    if key or not site.preset.keyed:
        market = book.market(site, key, Hints())
        stored = book.stored(market)
        if stored is not None and stored.spec.order != "chain":
            raise BadRequest(
                f"logs[{index}] must not be of {stored.symbol}, which is ordered by time: "
                "send its events to /api/events, without logIndex"
            )
    batches.put(site, "chain", Entry(index, log, event), market)


def _block_time_us(index: int, record: LogRecord) -> int:
    if record.block_time is None:
        raise BadRequest(
            f"logs[{index}].blockTimestamp must be given: without the time of its block a trade "
            "belongs to no candle"
        )
    time_us = record.block_time * 1_000_000
    if record.block_number >= BLOCK_LIMIT or record.log_index >= LOG_LIMIT:
        raise BadRequest(
            f"logs[{index}] must be of a block below {BLOCK_LIMIT} and a log index below "
            f"{LOG_LIMIT}, was {record.block_number} and {record.log_index}"
        )
    if not EARLIEST_US <= time_us <= LATEST_US:
        raise BadRequest(
            f"logs[{index}].blockTimestamp must be unix seconds from 2000 to 2100, was "
            f"{record.block_time}"
        )
    return time_us


def _site(event: PushedEvent, book: Book, *, create: bool) -> Site:
    try:
        site = book.site(event.chain_id, event.address, create=create)
    except Undecided as error:
        raise _placed(event, error) from None
    if site is None:
        raise UnknownSymbol(event.address)
    return site


def _market(event: PushedEvent, book: Book, site: Site, key: str, hints: Hints) -> ContractMarket:
    try:
        return book.market(site, key, hints)
    except Undecided as error:
        raise _placed(event, error) from None


def _encoded(event: PushedEvent, site: Site) -> Encoded | None:
    try:
        return encode(site.preset, event.name, event.given)
    except Mistake as mistake:
        raise event.refuse_argument(mistake.argument, mistake.rule) from None


def _entry(index: int, event: PushedEvent, encoded: Encoded) -> Entry:
    trade_id = ""
    if event.log_index is None:
        trade_id = made_id(event.transaction_hash, encoded.event, encoded.topics, encoded.data)
        if len(trade_id) > LONGEST_TEXT:
            rule = f"must be short enough that {LONGEST_TEXT} characters hold the event's id"
            raise event.refuse("transactionHash", rule, event.transaction_hash)
    log = Log(
        event.block_number or 0,
        event.time_us,
        event.transaction_hash,
        event.log_index or 0,
        event.address,
        encoded.topics,
        encoded.data,
    )
    return Entry(index, log, encoded.event, trade_id, encoded.without_trader)


def _mixed(event: PushedEvent, symbol: str, order: Order) -> BadRequest:
    verb = "be given" if order == "chain" else "be absent"
    rule = f"must {verb}, as {symbol} is ordered by {_WORDS[order]}"
    return event.refuse("logIndex", rule, event.log_index)


def _placed(event: PushedEvent, error: Undecided) -> BadRequest:
    where = f"{event.where}." if event.where else ""
    return BadRequest(f"{where}{error}", f"{where}{error.field}")
