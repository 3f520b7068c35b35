"""Read query parameters as Binance does: milliseconds, one `symbol` or a JSON list `symbols`.

Unknown parameters are ignored, an empty value counts as absent, and of a repeated parameter the
last value counts.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import sanic

from appliance import interval
from appliance.errors import UnknownSymbol
from appliance.interval import Interval
from appliance.model import Market
from appliance.settings import Settings
from appliance.store.catalogue import Catalogue
from appliance.web.binance_errors import (
    TOO_MANY_PARAMETERS,
    Refused,
    bad_combination,
    bad_value,
    illegal,
    missing,
    unknown_symbol,
)

LISTED_MAX: Final = 5_000
"""Most markets that are answered without being named."""
_LONGEST_VALUE: Final = 256
_LONGEST_LIST: Final = 65_536
_NUMBER: Final = "^[0-9]{1,20}$"
_LIST: Final = '^\\[("[^"]{1,64}"(,"[^"]{1,64}")*)?\\]$'
_UTC: Final = re.compile(r"[+-]?0?0(:00)?|UTC")


@dataclass(frozen=True, slots=True)
class Query:
    """The query parameters of one request."""

    values: dict[str, str]
    catalogue: Catalogue

    def text(self, name: str) -> str:
        """Return a text that must be given."""
        value = self.values.get(name)
        if not value:
            raise missing(name)
        return value

    def number(self, name: str) -> int | None:
        """Return a whole number, None if absent."""
        text = self.values.get(name)
        if not text:
            return None
        if not re.fullmatch(_NUMBER, text):
            raise illegal(name, _NUMBER, text)
        return int(text)

    def limit(self, default: int, most: int) -> int:
        """Return how many are wanted; more than `most` means `most`."""
        number = self.number("limit")
        if number == 0:
            raise bad_value("limit", f"from 1 to {most}", number)
        return default if number is None else min(number, most)

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return one of `choices`; the first is the default."""
        value = self.values.get(name) or next(iter(choices))
        if value not in choices:
            raise bad_value(name, f"one of {', '.join(choices)}", repr(value))
        return value

    def interval(self) -> Interval:
        """Return the interval of klines; they begin by UTC."""
        zone = self.values.get("timeZone") or "0"
        if not _UTC.fullmatch(zone):
            raise bad_value("timeZone", "0: candles begin by UTC", repr(zone))
        return interval.parse(self.text("interval"))

    def market(self) -> Market:
        """Return the market that `symbol` names."""
        return self._resolved(self.text("symbol"))

    def markets(self, most: int) -> list[Market] | None:
        """Return the markets that `symbol` or `symbols` names, None if neither is given."""
        listed = self.values.get("symbols")
        if not listed:
            return [self.market()] if self.values.get("symbol") else None
        if self.values.get("symbol"):
            raise bad_combination("Send symbol or symbols, not both.")
        try:
            names = msgspec.json.decode(listed, type=list[str])
        except msgspec.MsgspecError:
            raise illegal("symbols", _LIST, listed) from None
        if not 1 <= len(names) <= most:
            raise bad_value("symbols", f"1 to {most} symbols", f"a list of {len(names)}")
        return list({market.id: market for market in map(self._resolved, names)}.values())

    def markets_or_all(self, most: int) -> list[Market]:
        """Return the named markets, or all that are shown.

        Raises:
            Refused: none is named, and there are too many to answer all.
        """
        named = self.markets(most)
        if named is not None:
            return named
        shown = self.catalogue.shown
        if shown > LISTED_MAX:
            raise bad_combination(
                f"There are {shown:,} markets, and at most {LISTED_MAX:,} are answered at once: "
                f"name up to {most:,} in symbols."
            )
        return self.catalogue.visible()

    @property
    def names_one(self) -> bool:
        """Return whether one market is asked, so that the answer is no list."""
        return bool(self.values.get("symbol"))

    @property
    def names_some(self) -> bool:
        """Return whether markets are asked by name."""
        return self.names_one or bool(self.values.get("symbols"))

    def _resolved(self, symbol: str) -> Market:
        try:
            return self.catalogue.resolve(symbol)
        except UnknownSymbol:
            raise unknown_symbol() from None


def read(request: sanic.Request, settings: Settings, catalogue: Catalogue) -> Query:
    """Return the query parameters of a request.

    Raises:
        Refused: there are more than MAX_QUERY_PARAMS, or one is too long.
    """
    most = settings.max_query_params
    try:
        pairs = parse_qsl(request.query_string, keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise Refused(
            TOO_MANY_PARAMETERS, f"Too many parameters; expected at most {most}."
        ) from None
    for name, value in pairs:
        longest = _LONGEST_LIST if name == "symbols" else _LONGEST_VALUE
        if len(name) > _LONGEST_VALUE or len(value) > longest:
            raise bad_value(name[:32], f"at most {longest} characters", f"{len(value)} long")
    return Query(dict(pairs), catalogue)
