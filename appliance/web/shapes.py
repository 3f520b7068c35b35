"""The shapes that several routes share: rows of markets and trades, candles as columns, status.

Numbers that are not known are absent, never invented.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from appliance.model import Candles, Market

if TYPE_CHECKING:
    from appliance.datafeed import TradeRow
    from appliance.statistics.summaries import Summary
    from appliance.status import StatusReport
    from appliance.store.report import Report

COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")


def candle_columns(candles: Candles, provisional_from: int | None = None) -> dict[str, list[Any]]:
    """Return candles as one list for each of COLUMNS, and `final` if one of them is not."""
    columns: dict[str, list[Any]] = {name: getattr(candles, name) for name in COLUMNS}
    if provisional_from is not None:
        columns["final"] = [time < provisional_from for time in candles.time]
    return columns


def candle_objects(candles: Candles, provisional_from: int | None = None) -> list[dict[str, Any]]:
    """Return candles as one object each; `final` is there where it is false."""
    columns = candle_columns(candles).values()
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
    for row in reversed(rows):
        if provisional_from is None or row["time"] < provisional_from:
            break
        row["final"] = False
    return rows


def market_row(market: Market, summary: "Summary | None") -> dict[str, Any]:
    """Return one market with its last 24 hours, as far as they are known."""
    spec = market.spec
    row = {
        "market_id": market.id,
        "symbol": market.symbol,
        "name": spec.name or market.symbol,
        "exchange": spec.exchange,
        "base": spec.base,
        "quote": spec.quote,
        "chain_id": spec.chain_id or None,
        "tier": spec.tier,
        "price_decimals": spec.price_decimals,
        "raw_complete_from": market.raw_complete_from or None,
    }
    if summary is not None:
        row |= {
            "current_price": summary.price,
            "price_change_24h": summary.price_change,
            "price_change_percent_24h": summary.price_change_percent,
            "high_24h": summary.high,
            "low_24h": summary.low,
            "volume_24h": summary.volume,
            "quote_volume_24h": summary.quote_volume,
            "trades_24h": summary.trades,
            "mark_price": summary.mark_price,
            "funding_rate": summary.funding_rate,
            "sparkline": summary.sparkline,
        }
    return {name: value for name, value in row.items() if value is not None}


def stats_row(
    market: Market, summary: "Summary | None", from_time: int, to_time: int
) -> dict[str, Any]:
    """Return the last 24 hours of one market alone, which began at `from_time`."""
    row: dict[str, Any] = {"symbol": market.symbol, "from": from_time, "to": to_time}
    if summary is None:
        return row
    average = summary.quote_volume / summary.volume if summary.volume else None
    row |= {
        "open_24h": summary.open,
        "high_24h": summary.high,
        "low_24h": summary.low,
        "current_price": summary.price,
        "average_price_24h": average or None,
        "price_change_24h": summary.price_change,
        "price_change_percent_24h": summary.price_change_percent,
        "volume_24h": summary.volume,
        "quote_volume_24h": summary.quote_volume,
        "trades_24h": summary.trades,
        "mark_price": summary.mark_price,
        "funding_rate": summary.funding_rate,
    }
    return {name: value for name, value in row.items() if value is not None}


def trade_row(trade: "TradeRow") -> dict[str, Any]:
    """Return one trade; its sequence is a string, as it is beyond what a double holds."""
    row = {
        "time": trade.time_us / 1_000_000,
        "price": trade.price,
        "size": trade.size,
        "quote": trade.quote,
        "kind": trade.kind,
        "sequence": str(trade.sequence),
        "id": trade.trade_id or None,
        "block_number": trade.block_number or None,
        "transaction_hash": trade.transaction_hash or None,
        "chain_id": trade.chain_id or None,
    }
    known = {name: value for name, value in row.items() if value is not None}
    return known | {"side": trade.side or None}


def trade_rows(trades: "Sequence[TradeRow]") -> list[dict[str, Any]]:
    """Return trades in the order given."""
    return [trade_row(trade) for trade in trades]


def status_body(report: "StatusReport") -> dict[str, Any]:
    """Return the state of the appliance and of each of its parts."""
    return {
        "status": "ready" if report.ready else "not_ready",
        "demo": report.demo,
        "trades_stored": report.trades_stored,
        "trades_per_second": report.trades_per_second,
        "readers": report.readers,
        "parts": [
            {"name": part.name, "state": part.state, "reason": part.reason}
            | ({} if part.progress is None else {"progress": part.progress})
            | dict(part.numbers)
            for part in report.parts
        ],
        "verify": report.verify and verify_body(report.verify),
    }


def verify_body(report: "Report") -> dict[str, Any]:
    """Return the outcome of a verify: when it was, whether all is equal, and what is not."""
    return {
        "at": report.at,
        "equal": report.equal,
        "days": report.days_checked,
        "differences": report.remaining,
    }
