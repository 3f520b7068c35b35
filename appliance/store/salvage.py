"""Put damaged parts aside, make candles of the trades that are left, and say what is lost.

Candles are made of trades, so a damaged part of theirs costs nothing. Of a damaged part of trades
the candles still know how many rows each day had: that is what can be told before they are made
anew. Each step is noted in the checkpoints (kind `lost`) before the next one, so that a kill in
the middle is finished by the next start.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from clickhouse_connect.driver.client import Client

from appliance.errors import ConfigError
from appliance.store import checkpoints
from appliance.store.damage import Damage
from appliance.store.journal import Span
from appliance.store.limits import raw_from
from appliance.store.reader import select
from appliance.store.rebuild import DAY_S, days, rebuild, run, unequal

log = logging.getLogger(__name__)
KIND: Final = "lost"
_UNKNOWN: Final = -1


class Loss(msgspec.Struct, frozen=True):
    """Whole days of a market, unix seconds, both inside, that lack trades.

    `market_id` 0 means every market. `held` is how many rows these days had, -1 where nothing
    tells.
    """

    market_id: int
    first: int
    last: int
    held: int


class Case(msgspec.Struct, frozen=True):
    """One damaged part, and how far it is dealt with.

    found → counted (it is put aside, and `losses` say what it held) → done (candles are made anew;
    `losses` are what is missing still) → closed (nothing is).
    """

    damage: Damage
    state: Literal["found", "counted", "done", "closed"]
    losses: tuple[Loss, ...] = ()
    path: str = ""

    def sentences(self, symbols: Mapping[int, str]) -> list[str]:
        """Return what is lost, why, and the cure, a sentence for each market."""
        files = Path(self.path)
        accept = f"; to accept the loss, remove {files}" if files.exists() else ""
        return [
            f"{_trades(loss, symbols)} from {_day(loss.first)} to {_day(loss.last)} were lost with "
            f"the damaged part {self.damage.part} of table {self.damage.table} "
            f"({self.damage.reason}): import that range again or restore a backup{accept}"
            for loss in self.losses
        ]


def cases(client: Client) -> list[Case]:
    """Return all cases that are not closed."""
    stored = checkpoints.read(client, KIND).values()
    found = [msgspec.json.decode(value, type=Case) for value in stored]
    return [case for case in found if case.state != "closed"]


def begin(client: Client, found: Iterable[Damage]) -> list[Case]:
    """Put damaged parts aside, and count what their days held; return the cases to `finish`.

    Also those that an earlier call left unfinished; parts that were dealt with are left out.

    Raises:
        ConfigError: a part of a table is damaged that cannot be made of others.
    """
    known = set(checkpoints.read(client, KIND))
    for damage in found:
        _refuse_essential(client, damage)
        if damage.key not in known:
            log.error("part %s of %s is damaged: %s", damage.part, damage.table, damage.reason)
            _note(client, Case(damage, "found"))
    open_cases = [case for case in cases(client) if case.state in ("found", "counted")]
    for case in open_cases:
        _put_aside(client, case.damage)
    blind = [case.damage for case in open_cases if case.damage.table == "candles"]
    return [_counted(client, case, blind) for case in open_cases]


def finish(client: Client, open_cases: Iterable[Case]) -> tuple[list[Case], list[Span]]:
    """Make the candles anew that damaged parts held or counted.

    Returns the cases that lost trades, and the days whose candles were made anew.
    """
    lost, rebuilt = [], []
    for case in open_cases:
        if case.damage.table == "candles":
            spans = _joined(unequal(client, _markets(client), case.damage.first, case.damage.last))
        else:
            spans = [Span(x.market_id, x.first, x.last) for x in case.losses if x.market_id]
        for span in spans:
            rebuild(client, span)
        rebuilt += spans
        lost.append(_settled(client, case))
    return [case for case in lost if case.state == "done"], rebuilt


def still_lost(client: Client) -> list[Case]:
    """Return the cases whose trades are missing still, having closed the others.

    One is closed when its days hold as many trades as they did, when retention does not keep them
    any more, or when the operator removed the files of its part, which accepts the loss.
    """
    done = [case for case in cases(client) if case.state == "done"]
    return [case for case in (_settled(client, case) for case in done) if case.state == "done"]


def _refuse_essential(client: Client, damage: Damage) -> None:
    essential = damage.table in ("markets", "checkpoints") and not damage.detached
    orphans = damage.table == "markets" and select(client, "select_orphans", {})
    if essential or orphans:
        raise ConfigError(
            f"table {damage.table} has a damaged part, {damage.part} at {damage.path} "
            f"({damage.reason}), and cannot be made anew: restore a backup into another --data-dir"
        )


def _put_aside(client: Client, damage: Damage) -> None:
    where = {"table": damage.table, "part": damage.part}
    if not damage.detached and not select(client, "select_detached_part", where):
        run(client, "detach_part", where)


def _counted(client: Client, case: Case, blind: list[Damage]) -> Case:
    """Return the case with what its days held, as far as candles that are not damaged tell."""
    if case.state == "counted":
        return case
    damage = case.damage
    losses: list[Loss] = []
    if damage.table == "trades":
        first, end = days(Span(0, damage.first, damage.last))
        columns = select(client, "select_missing_rows", {"from": first, "to": end})
        rows = zip(*columns, strict=True) if columns else ()
        losses = [Loss(market, low, high + DAY_S - 1, held) for market, low, high, held in rows]
        if any(b.first <= damage.last and damage.first <= b.last for b in blind):
            losses.append(Loss(0, damage.first, damage.last, _UNKNOWN))
    elif damage.table == "marks":
        losses = [Loss(0, damage.first, damage.last, _UNKNOWN)]
    counted = Case(damage, "counted", tuple(losses), _path(client, damage))
    _note(client, counted)
    return counted


def _path(client: Client, damage: Damage) -> str:
    if damage.detached:
        return damage.path
    where = {"table": damage.table, "part": damage.part}
    columns = select(client, "select_detached_part", where)
    return str(columns[0][0]) if columns else damage.path


def _settled(client: Client, case: Case) -> Case:
    """Note and return what of a case is missing now."""
    files = Path(case.path)
    accepted = files.parent.is_dir() and not files.exists()  # not so where a backup was restored
    losses = tuple(loss for loss in case.losses if not accepted and _missing(client, loss))
    settled = Case(case.damage, "done" if losses else "closed", losses, case.path)
    if settled != case:
        _note(client, settled)
        outcome = "some trades are lost" if losses else "no trade is lost"
        log.warning("part %s of %s: %s", case.damage.part, case.damage.table, outcome)
    return settled


def _missing(client: Client, loss: Loss) -> bool:
    if loss.held == _UNKNOWN:
        return True
    if loss.last < raw_from(client, [loss.market_id]).get(loss.market_id, 0):
        return False  # retention does not keep them any more
    where = {"market": loss.market_id, "from": loss.first, "to": loss.last + 1}
    return int(select(client, "select_row_count", where)[0][0]) < loss.held


def _joined(spans: list[Span]) -> list[Span]:
    """Return the spans with those that touch made one: a statement costs more than a day."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.market_id, s.first)):
        last = joined[-1] if joined else None
        if last and last.market_id == span.market_id and last.last + 1 == span.first:
            joined[-1] = Span(span.market_id, last.first, span.last)
        else:
            joined.append(span)
    return joined


def _markets(client: Client) -> list[int]:
    columns = select(client, "select_markets", {})
    return list(columns[0]) if columns else []


def _note(client: Client, case: Case) -> None:
    checkpoints.write(client, KIND, case.damage.key, msgspec.json.encode(case).decode())


def _trades(loss: Loss, symbols: Mapping[int, str]) -> str:
    market = symbols.get(loss.market_id, "any market")
    return f"some of the {loss.held:,} trades of {market}" if loss.held > 0 else f"rows of {market}"


def _day(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")
