"""`appliance verify`: through the running server if there is one, else on the store itself."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal

import msgspec

from appliance import running
from appliance.errors import Retryable
from appliance.metrics import Metrics
from appliance.progress import bars
from appliance.settings import Settings
from appliance.store.report import Report, UnequalCandle
from appliance.store.store import Store

_PATH: Final = "/api/admin/verify"
_LOOK_S: Final = 0.1
_HEADS: Final[tuple[str, ...]] = ("interval", "checked", "differing", "missing", "extra")
_EXAMPLES_MAX: Final = 10
Show = Callable[[float], None]


class _State(msgspec.Struct, frozen=True):
    """What the server answers about its verify."""

    state: Literal["idle", "running", "done", "failed"]
    progress: float
    report: Report | None
    error: str | None


def verify(settings: Settings, options: argparse.Namespace) -> tuple[str, bool]:
    """Verify to the end; return the summary for a person, and whether all is well.

    Raises:
        Conflict: another verify goes on.
        Retryable: the store or the server failed, or it stopped.
    """
    running.prepare(settings.data_dir)
    with bars() as show:
        if server := running.find(settings.data_dir):
            report = _by_server(server, options, partial(show, "verifying"))
        else:
            report = _alone(settings, options, partial(show, "verifying"))
    return summary(report), report.equal and not report.lost


def _by_server(server: running.Running, options: argparse.Namespace, show: Show) -> Report:
    wanted = msgspec.json.encode({"repair": options.repair, "recent": options.recent})
    state = _read(*running.post(server, _PATH, wanted, "application/json"))
    while state.state == "running":
        show(state.progress)
        time.sleep(_LOOK_S)
        state = _read(*running.ask(server, _PATH))
    show(state.progress)
    return _outcome(state.report, state.error)


def _read(status: int, body: bytes) -> _State:
    if status >= 400:
        raise running.refusal(status, body)
    try:
        return msgspec.json.decode(body, type=_State)
    except (msgspec.MsgspecError, ValueError):
        raise Retryable(f"the server answered {status} with something else") from None


def _alone(settings: Settings, options: argparse.Namespace, show: Show) -> Report:
    store = Store(settings, Metrics(), publish=lambda commit: None)
    store.open()
    try:
        store.verifier.start(repair=options.repair, recent=options.recent)
        while (state := store.verifier.state()).running:
            show(state.progress)
            time.sleep(_LOOK_S)
        show(state.progress)
        return _outcome(state.report, state.error)
    finally:
        store.close()


def _outcome(report: Report | None, error: str | None) -> Report:
    if error is not None or report is None:
        raise Retryable(f"verify came to no end: {error or 'the log says why'}")
    return report


def summary(report: Report) -> str:
    """Return a report as a table and what it means, in plain sentences."""
    lines = [*_table(report), *(_line(example) for example in report.examples[:_EXAMPLES_MAX])]
    lines += [f"damaged: {each}" for each in report.damaged]
    lines += [f"lost: {each}" for each in report.lost]
    return "\n".join([*lines, _sentence(report)])


def _table(report: Report) -> list[str]:
    rows = [_HEADS]
    for counts in report.intervals:
        numbers = (counts.checked, counts.differing, counts.missing, counts.extra)
        rows.append((counts.interval, *(f"{number:,}" for number in numbers)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.rjust, row, widths)) for row in rows]


def _line(candle: UnequalCandle) -> str:
    instant = datetime.fromtimestamp(candle.start, UTC)
    return f"{candle.symbol} {candle.interval} {instant:%Y-%m-%d %H:%M:%S}: {candle.problem}"


def _sentence(report: Report) -> str:
    if report.damaged and not report.repair:
        return (
            "damaged parts cannot be read, so not all was compared; put them aside with: "
            "appliance verify --repair"
        )
    if not report.intervals:
        return "no candles and no trades are there to compare"
    first, last = (datetime.fromtimestamp(s, UTC) for s in (report.first, report.last))
    where = f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    found, days = _count(report.found, "candle"), _count(report.unequal_days, "day")
    if report.remaining and report.repair:
        return f"{_count(report.remaining, 'candle')} {where}: unequal also after the repair"
    if not report.equal:
        return (
            f"unequal to their trades: {found} on {days}, {where}; make them anew with: "
            "appliance verify --repair"
        )
    if report.found:
        return f"made anew: {days} with {found} unequal; now candles equal trades {where}"
    return f"candles equal trades {where}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
