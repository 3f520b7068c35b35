"""Events as callers write them: who emitted what, where on the chain and when.

`{contractAddress, eventType, blockNumber, logIndex, transactionHash, timestamp, args: {…}}`; in the
flat form the arguments stand beside the other fields. All or nothing: the first wrong value is an
error that names the event by its index, the field, the value and the cure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from appliance.errors import BadRequest
from appliance.files.checks import BLOCK_LIMIT, EARLIEST_US, LATEST_US, LOG_LIMIT, LONGEST_TEXT
from appliance.files.symbol import canonical_symbol
from appliance.files.times import RULE, microsecond
from appliance.pushed import values
from appliance.pushed.values import Wrong

_CHAIN_LIMIT: Final = 2**53
"""As JavaScript's numbers end."""
_MOST_DECIMALS: Final = 77
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class PushedEvent:
    """One event; `block_number` and `log_index` are None together: its place is its time then.

    `where` is what errors call it, `arguments` what they put before the name of an argument.
    """

    where: str
    address: str
    name: str
    given: Mapping[str, Any]
    arguments: str
    time_us: int
    transaction_hash: str
    block_number: int | None
    log_index: int | None
    chain_id: int | None
    symbol: str
    decimals: tuple[int, int] | None

    def refuse(self, field: str, rule: str, *value: Any) -> BadRequest:
        """Return the error that names event, field, rule and, if given, the value."""
        return _refusal(self.where, field, rule, *value)

    def refuse_argument(self, name: str, rule: str) -> BadRequest:
        """Return the error for an argument."""
        value = [self.given[name]] if self.given.get(name) is not None else []
        return self.refuse(self.arguments + name, rule, *value)


def read(events: Sequence[Any], latest_us: int, *, one: bool = False) -> list[PushedEvent]:
    """Return the events; `one` was sent alone and is called by no index.

    Those without a place on the chain may not be later than `latest_us`.

    Raises:
        BadRequest: one is wrong; the first is named.
    """
    return [
        _read(event, "" if one else f"events[{index}]", latest_us)
        for index, event in enumerate(events)
    ]


def _read(event: Any, where: str, latest_us: int) -> PushedEvent:
    if not isinstance(event, dict):
        raise _refusal(where, "", "must be an object", event)
    fields = _Fields(event, where)
    block, log_index = fields.place()
    args = event.get("args")
    if args is not None and not isinstance(args, dict):
        raise _refusal(where, "args", "must be an object of the event's arguments", args)
    return PushedEvent(
        where=where,
        address=fields.converted("contractAddress", values.address),
        name=fields.text("eventType"),
        given=event if args is None else args,
        arguments="" if args is None else "args.",
        time_us=fields.time(LATEST_US if log_index is not None else latest_us),
        transaction_hash=fields.transaction(optional=log_index is not None),
        block_number=block,
        log_index=log_index,
        chain_id=fields.number("chainId", 1, _CHAIN_LIMIT),
        symbol=fields.symbol(),
        decimals=fields.decimals(),
    )


class _Fields:
    """The fields of one event that are no arguments."""

    def __init__(self, event: dict[str, Any], where: str) -> None:
        self._event = event
        self._where = where

    def refuse(self, field: str, rule: str, *value: Any) -> BadRequest:
        return _refusal(self._where, field, rule, *value)

    def converted(self, field: str, convert: Any) -> Any:
        value = self._event.get(field)
        if value is None:
            raise self.refuse(field, "must be given")
        try:
            return convert(value)
        except Wrong as error:
            raise self.refuse(field, str(error), value) from None

    def text(self, field: str) -> str:
        value = self._event.get(field)
        if value is None:
            raise self.refuse(field, "must be given")
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
            raise self.refuse(field, f"must be text of 1 to {LONGEST_TEXT} characters", value)
        return value

    def number(self, field: str, first: int, limit: int) -> int | None:
        if self._event.get(field) is None:
            return None
        number: int = self.converted(field, values.integer)
        if not first <= number < limit:
            raise self.refuse(field, f"must be from {first} to {limit - 1}", self._event[field])
        return number

    def place(self) -> tuple[int | None, int | None]:
        """Return block and log index; a block alone is no place, and says nothing."""
        block = self.number("blockNumber", 0, BLOCK_LIMIT)
        log_index = self.number("logIndex", 0, LOG_LIMIT)
        if log_index is not None and block is None:
            raise self.refuse("blockNumber", "must be given, as logIndex is")
        return (None, None) if log_index is None else (block, log_index)

    def time(self, latest_us: int) -> int:
        value = self._event.get("timestamp")
        if value is None:
            raise self.refuse("timestamp", "must be given")
        try:
            time_us = microsecond(_time(value))
        except (TypeError, ValueError, ArithmeticError):
            raise self.refuse("timestamp", RULE, value) from None
        if not EARLIEST_US <= time_us <= latest_us:
            rule = "must be from 2000-01-01 to one minute ahead (with logIndex: to 2100)"
            raise self.refuse("timestamp", rule, value)
        return time_us

    def transaction(self, *, optional: bool) -> str:
        if self._event.get("transactionHash") is None:
            if optional:
                return ""
            raise self.refuse(
                "transactionHash",
                "must be given where logIndex is absent: the event's id is made of it",
            )
        text = self.text("transactionHash")
        if not text.isprintable() or not text.isascii():
            raise self.refuse("transactionHash", "must be 0x and hex digits", text)
        return text.lower() if text[:2] in ("0x", "0X") else text

    def symbol(self) -> str:
        field = "symbol" if self._event.get("symbol") is not None else "market"
        value = self._event.get(field)
        if value is None:
            return ""
        try:
            return canonical_symbol(self.text(field), field)
        except BadRequest as error:
            raise _placed(error, self._where, field) from None

    def decimals(self) -> tuple[int, int] | None:
        found = [self.number(f"decimals{i}", 0, _MOST_DECIMALS + 1) for i in (0, 1)]
        if found[0] is None and found[1] is None:
            return None
        for index, number in enumerate(found):
            if number is None:
                rule = "must be given, as decimals0 and decimals1 go together"
                raise self.refuse(f"decimals{index}", rule)
        return found[0] or 0, found[1] or 0


def _time(value: Any) -> int | float | str:
    """Return a time as it is read: hex digits are unix seconds, as nodes write them."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str) and value[:2] in ("0x", "0X"):
        return values.integer(value)
    return float(value) if isinstance(value, Decimal) else value


def _placed(error: BadRequest, where: str, field: str) -> BadRequest:
    if not where or str(error).startswith(where):
        return error
    return BadRequest(f"{where}.{error}", f"{where}.{field}")


def _refusal(where: str, field: str, rule: str, *value: Any) -> BadRequest:
    place = ".".join(filter(None, (where, field))) or "event"
    shown = f", was {_shown(value[0])}" if value else ""
    return BadRequest(f"{place} {rule}{shown}", place)


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else ascii(value)
    return text[:_SHOWN]
