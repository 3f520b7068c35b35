"""Read query parameters; an error names the parameter, its value and the cure.

Unknown parameters are ignored, an empty value counts as absent, and of a repeated parameter the
last value counts.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final, TypeVar, overload
from urllib.parse import parse_qsl

import sanic

from appliance import interval
from appliance.errors import BadRequest
from appliance.interval import Interval
from appliance.settings import Settings

LONGEST_VALUE: Final = 256
LONGEST_LIST: Final = 4_096
"""Longest value of a parameter that lists symbols."""
LISTS: Final = ("symbols",)
TIME_LIMIT: Final = 10**11
"""Unix seconds stay below this (the year 5138); milliseconds of any time we hold do not."""
LONG_AGO: Final = 10**18
Choice = TypeVar("Choice", bound=str)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")


class Params:
    """The query parameters of one request."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, str]) -> None:
        """Hold the last value of each."""
        self.values = values

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it must be given."""
        value = self.values.get(name) or default
        if value is None:
            raise BadRequest(f"{name} must be given", name)
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        number = self.number(name, f"a whole number from {low:,} to {high:,}", low, high)
        return default if number is None else number

    def number(self, name: str, what: str, low: int, high: int) -> int | None:
        """Return a whole number, None if absent; `what` says what it must be."""
        text = self.values.get(name, "")
        if text == "":
            return None
        if _INTEGER.fullmatch(text):
            number = int(text)
            if low <= number <= high:
                return number
        raise BadRequest(f"{name} must be {what}, was {text!r}", name)

    @overload
    def time_range(self, now: int) -> tuple[int | None, int]: ...
    @overload
    def time_range(self, now: None) -> tuple[int | None, int | None]: ...
    def time_range(self, now: int | None) -> tuple[int | None, int | None]:
        """Return `from`, if given, and `to`, which is just after `now` if not; None without `now`.

        Times before 1970 are legal, and count as 1970: there are no trades before.

        Raises:
            BadRequest: one is no time, or `from` is after `to`.
        """
        from_time = self.number("from", "unix seconds", -LONG_AGO, TIME_LIMIT)
        to_time = self.number("to", "unix seconds", -LONG_AGO, TIME_LIMIT)
        if from_time is not None and to_time is not None and from_time > to_time:
            message = f"from must be at most to, was {from_time} with to {to_time}"
            raise BadRequest(message, "from")
        first = None if from_time is None else max(from_time, 0)
        if to_time is None:
            return first, None if now is None else now + 1
        return first, max(to_time, 0)

    def listed(self, name: str, most: int) -> list[str]:
        """Return the parts between commas as they were sent, at most `most`; '' has none."""
        text = self.values.get(name, "")
        parts = text.split(",") if text else []
        if len(parts) > most:
            raise BadRequest(
                f"{name} must be at most {most}, separated by commas, were {len(parts)}: "
                "ask for the others in another request",
                name,
            )
        return parts

    def choice(self, name: str, choices: Collection[Choice]) -> Choice:
        """Return one of `choices`; the first is the default."""
        value = self.values.get(name) or next(iter(choices))
        chosen = next((choice for choice in choices if choice == value), None)
        if chosen is None:
            raise BadRequest(f"{name} must be one of {', '.join(choices)}, was {value!r}", name)
        return chosen

    def interval(self, name: str, default: str) -> Interval:
        """Return an interval like 1m or 4h."""
        return interval.parse(self.text(name, default), name)


def read(request: sanic.Request, settings: Settings) -> Params:
    """Return the query parameters of a request.

    Raises:
        BadRequest: there are more than MAX_QUERY_PARAMS, or one is too long.
    """
    most = settings.max_query_params
    text = request.query_string
    if text.count("&") >= most:
        raise BadRequest(f"query parameters must be at most {most}, were more")
    values = _values(text)
    if len(text) > LONGEST_VALUE:
        _check_lengths(values)
    return Params(values)


def _values(text: str) -> dict[str, str]:
    if "%" not in text and "+" not in text:
        try:
            return dict([pair.split("=", 1) for pair in text.split("&")])
        except ValueError:
            pass  # a name without "="
    return dict(parse_qsl(text, keep_blank_values=True))


def _check_lengths(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        longest = LONGEST_LIST if name in LISTS else LONGEST_VALUE
        if len(name) > LONGEST_VALUE or len(value) > longest:
            raise BadRequest(
                f"{name[:32]} must be at most {longest} characters, was {len(value)}",
                name[:32],
            )
