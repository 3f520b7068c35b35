"""Checks of presets: signature, topic0 and every key of an event must fit together."""

from collections.abc import Sequence
from typing import Final

from appliance.chain import signature
from appliance.chain.event import MOVES_PRICE, EventPreset
from appliance.chain.form import EventForm, Number, Price, Side
from appliance.chain.signature import Event
from appliance.errors import ConfigError

_SCALES: Final = range(78)  # 10^77 is the largest power of ten that a word holds
_WORDS: Final = {"address", "number", "bytes32"}
_TYPES: Final = {
    "trader": {"address"},
    "position": {"number"},
    "skip_zero": {"number"},
    "liquidated": {"number"},
    "market": _WORDS,
    "contract": {"address"},
    "key": _WORDS,
    "id": _WORDS,
    "symbol": {"string", "bytes32"},
    "name": {"string", "bytes32"},
    "token0": {"address"},
    "token1": {"address"},
    "pool_fee": {"number"},
    "active": {"bool"},
}
"""Keys that name one argument, and the types that it may have."""
_ROW_KEYS: Final = (
    *("execution", "after", "base", "quote", "fee", "pnl", "leverage", "value", "side"),
    *("position", "trader", "market", "skip_zero", "liquidated"),
)
_FACTORY_KEYS: Final = (
    *("contract", "key", "id", "symbol", "name", "token0", "token1", "pool_fee", "active"),
    "registry",
)


class Mistake(ConfigError):
    """A mistake at `key` of an event, the first one (from 0) unless the caller knows better."""

    def __init__(self, key: str, message: str, event: int = 0) -> None:
        """Keep the key for finding its line."""
        super().__init__(message)
        self.key = key
        self.event = event


def event(form: EventForm) -> EventPreset:
    """Return the event when signature, topic0 and every key fit together.

    Raises:
        Mistake: they do not; names key, value and cure.
    """
    try:
        parsed = signature.parse(form.signature)
    except ConfigError as error:
        raise Mistake("signature", str(error)) from error
    if form.topic0.lower() != parsed.topic0:
        raise Mistake(
            "topic0",
            f"topic0 must be {parsed.topic0}, the hash of {parsed.canonical}, was {form.topic0}: "
            "correct the one that is wrong",
        )
    preset = EventPreset(parsed, form)
    _check_keys(preset)
    for key, number in preset.numbers.items():
        _check_number(parsed, key, number)
    for key, price in (("execution", form.execution), ("after", form.after)):
        if isinstance(price, Price):
            _check_price(parsed, key, price)
    _check_side(parsed, form.side)
    for key, kinds in _TYPES.items():
        _check_argument(parsed, key, getattr(form, key), kinds)
    return preset


def together(events: Sequence[EventPreset]) -> None:
    """Check what no event shows alone.

    Raises:
        Mistake: names the event, the key and the cure.
    """
    keyed = any(e.form.market for e in events)
    asks_mark = any(e.recalls_mark for e in events)
    kinds: set[str] = set()
    for at, e in enumerate(events):
        if keyed and not e.is_creation and not e.form.market:
            raise Mistake("kind", "market must be given, as other events of the preset do", at)
        if asks_mark:
            _check_mark(e, kinds, at)


def _check_mark(event: EventPreset, kinds: set[str], at: int) -> None:
    """Check that the row's kind and raw price are enough to tell its mark price once more."""
    form = event.form
    for kind in event.stored_mark_kinds:
        if not (isinstance(form.after, Price) and form.after.word):
            raise Mistake(
                "after",
                "after must be one argument, as trades of later blocks need this price: use "
                'argument or sqrt_x96, or kind = "sync" if trades follow in the same block only',
                at,
            )
        if kind in kinds:
            raise Mistake("kind", f"kind {kind} must tell the price after in one event only", at)
        kinds.add(kind)


def _check_keys(preset: EventPreset) -> None:
    """Check that the event has the keys its kind needs, and none that mean nothing there."""
    form = preset.form
    useless = _ROW_KEYS if preset.is_creation else _FACTORY_KEYS
    for key in useless:
        if getattr(form, key):
            raise Mistake(key, f"{key} must be left out for kind {form.kind}")
    if preset.is_creation:
        _check_factory(form)
    elif preset.is_trade:
        _check_trade(form)
    else:
        _check_price_only(form)
    if "volumes" in (form.execution, form.after) and not (form.base and form.quote):
        key = "execution" if form.execution == "volumes" else "after"
        raise Mistake(key, 'base and quote must both be given for a price of "volumes"')


def _check_trade(form: EventForm) -> None:
    if form.base is None and form.quote is None:
        raise Mistake(
            "kind", f"base or quote must be given for kind {form.kind}: name the size's argument"
        )
    if form.base and not form.quote and not (form.execution or form.after):
        raise Mistake("base", "quote must be given, or execution or after to compute it from base")


def _check_price_only(form: EventForm) -> None:
    for key in ("base", "quote", "side"):
        if getattr(form, key) is not None:
            raise Mistake(key, f"base, quote and side must be left out for kind {form.kind}")
    if form.kind in MOVES_PRICE and not isinstance(form.after, Price):
        raise Mistake("after", f"after must be given as a price for kind {form.kind}")
    if form.kind in MOVES_PRICE and form.execution is not None:
        raise Mistake("execution", f"execution must be left out for kind {form.kind}: use after")
    if form.kind == "funding" and form.value is None:
        raise Mistake("kind", "value must be given for kind funding: name the rate's argument")


def _check_factory(form: EventForm) -> None:
    if form.kind == "market":
        if (form.contract is None) == (form.key is None):
            raise Mistake("kind", "contract or key must be given for kind market, and not both")
        if form.active is not None:
            raise Mistake("active", "active must be left out for kind market: use kind status")
        if form.registry and form.key is None:
            raise Mistake("registry", "registry must be left out without key")
    elif form.active is None or (form.id is None) == (form.key is None):
        raise Mistake("kind", "active, and either id or key, must be given for kind status")


def _check_number(event: Event, key: str, number: Number) -> None:
    if not number.terms:
        raise Mistake(key, f"{key}.argument must name at least one argument, was empty")
    for name, _ in number.terms:
        _check_argument(event, f"{key}.argument", name, {"number"})
    _check_scale(key, number.scale)


def _check_price(event: Event, key: str, price: Price) -> None:
    if not price.form:
        raise Mistake(
            key,
            f"{key} must be argument with scale, or sqrt_x96, or quote with base: use one of them",
        )
    for name in price.arguments:
        _check_argument(event, key, name, {"number"})
    if price.scale is not None:
        _check_scale(key, price.scale)
    for part in (price.quote, price.base):
        if part is not None:
            _check_scale(key, part.scale)


def _check_scale(key: str, scale: int | str) -> None:
    if isinstance(scale, int) and scale not in _SCALES:
        raise Mistake(key, f"{key}.scale must be from 0 to {_SCALES[-1]}, was {scale}")


def _check_side(event: Event, side: Side | None) -> None:
    if side is None:
        return
    given = [key for key in ("flag", "sign", "position") if getattr(side, key) is not None]
    if len(given) != 1:
        had = ", ".join(given) or "none"
        raise Mistake("side", f"side must have exactly one of flag, sign, position, had {had}")
    if (side.long is None) != (given == ["sign"]):
        wanted = "left out with sign" if side.long else '"buy" or "sell"'
        raise Mistake("side", f"side.long must be {wanted}, was {side.long!r}")
    _check_argument(event, "side.flag", side.flag, {"bool"})
    _check_argument(event, "side.position", side.position, {"number"})
    if side.sign is not None and not side.terms:
        raise Mistake("side", "side.sign must name at least one argument, was empty")
    for name, _ in side.terms:
        _check_argument(event, "side.sign", name, {"number"})


def _check_argument(event: Event, key: str, name: str | None, kinds: set[str]) -> None:
    """Check that the event has an argument called `name`, of one of the types `kinds`."""
    if name is None:
        return
    place = key.partition(".")[0]
    argument = event.argument(name)
    if argument is None:
        known = ", ".join(a.name for a in event.arguments)
        raise Mistake(place, f"{key} must name one of its arguments ({known}), was {name!r}")
    if ("number" if argument.bits else argument.type) not in kinds:
        raise Mistake(
            place,
            f"{key} must name an argument of type {' or '.join(sorted(kinds))}, "
            f"{name!r} is {argument.type}",
        )
    if argument.hashed:
        raise Mistake(place, f"{key} must name an argument that is not indexed, {name!r} is")
