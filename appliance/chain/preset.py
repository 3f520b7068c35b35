"""Presets: TOML files that say which events a protocol emits and what their arguments mean.

`built_in("vamm")` reads one of ours, `load(path)` the user's. What comes out is checked whole: no
mistake in a file waits for the first log. The forms are described in `appliance/chain/form.py`.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from appliance.chain.form import EventForm, Number, PresetForm, Price, Side
from appliance.chain.signature import Argument, Event, parse
from appliance.errors import ConfigError
from appliance.model import PriceRule

FOLDER: Final = Path(__file__).resolve().parent / "presets"
_MOVES_PRICE: Final = {"mark", "sync"}
_EVENT_AT: Final = re.compile(r"\$\.event\[(\d+)\]")
_SCALES: Final = range(78)  # 10^77 is the largest power of ten that a word holds


@dataclass(frozen=True, slots=True, eq=False)
class EventPreset:
    """An event and what its arguments mean."""

    event: Event
    form: EventForm

    @property
    def is_trade(self) -> bool:
        """Return whether its rows carry volume."""
        return self.form.kind not in {*_MOVES_PRICE, "funding"}

    @property
    def numbers(self) -> dict[str, Number]:
        """Return its numbers by key."""
        keys = ("base", "quote", "fee", "pnl", "leverage", "value")
        return {key: number for key in keys if (number := getattr(self.form, key)) is not None}

    def argument(self, name: str) -> Argument:
        """Return an argument that the check has found to exist."""
        found = self.event.argument(name)
        if found is None:
            raise KeyError(name)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Preset:
    """A protocol's events by topic0, and the price rule that suits its users."""

    name: str
    price_rule: PriceRule
    events: dict[str, EventPreset]


def names() -> list[str]:
    """Return the names of the presets that come with the product."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def built_in(name: str) -> Preset:
    """Return the preset called `name`.

    Raises:
        ConfigError: there is none; lists those there are.
    """
    if name not in names():
        raise ConfigError(f"preset must be one of {', '.join(names())}, was {name!r}")
    return load(FOLDER / f"{name}.toml")


def load(path: Path) -> Preset:
    """Return the preset in file `path`, checked.

    Raises:
        ConfigError: names the file, the event, the key and the cure.
    """
    try:
        return from_text(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the events file must be readable text: {error}") from error


def from_text(text: str, file: str) -> Preset:
    """Return the preset that `text` holds; `file` is its name in errors.

    Raises:
        ConfigError: names the file, the event, the key and the cure.
    """
    form = _form(text, file)
    events: dict[str, EventPreset] = {}
    for number, event_form in enumerate(form.event, 1):
        label = event_form.signature.partition("(")[0].strip() or f"number {number}"
        try:
            checked = _checked(event_form)
        except ConfigError as error:
            raise ConfigError(f"{file}: event {label}: {error}") from error
        if checked.event.topic0 in events:
            raise ConfigError(f"{file}: event {label}: signature must appear once: remove one")
        events[checked.event.topic0] = checked
    if not events:
        raise ConfigError(f"{file}: event must be a list of at least one [[event]], was empty")
    return Preset(form.name, form.price_rule, events)


def _form(text: str, file: str) -> PresetForm:
    """Return the file's keys and values, each of the right type."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: must be TOML: {error}") from error
    try:
        return msgspec.convert(values, PresetForm)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {_located(str(error), values)}") from error


def _located(message: str, values: dict[str, object]) -> str:
    """Return msgspec's sentence with the event's name in front."""
    match = _EVENT_AT.search(message)
    events = values.get("event")
    if match is None or not isinstance(events, list) or not isinstance(events[0], dict):
        return message
    signature = str(events[int(match[1])].get("signature", f"number {int(match[1]) + 1}"))
    return f"event {signature.partition('(')[0]}: {message.replace(match[0], '$')}"


def _checked(form: EventForm) -> EventPreset:
    """Return the event when signature, topic0 and every key fit together."""
    event = parse(form.signature)
    if form.topic0.lower() != event.topic0:
        raise ConfigError(
            f"topic0 must be {event.topic0}, the hash of {event.canonical}, was {form.topic0}: "
            "correct the one that is wrong"
        )
    preset = EventPreset(event, form)
    _check_roles(preset)
    for key, number in preset.numbers.items():
        _check_number(event, key, number)
    for key, price in (("execution", form.execution), ("after", form.after)):
        if isinstance(price, Price):
            _check_price(event, key, price)
    _check_side(event, form.side)
    _check_argument(event, "trader", form.trader, {"address"})
    _check_argument(event, "position", form.position, {"number"})
    _check_argument(event, "skip_zero", form.skip_zero, {"number"})
    _check_argument(event, "market", form.market, {"address", "number", "bytes32"})
    return preset


def _check_roles(preset: EventPreset) -> None:
    """Check that the event has the keys its kind needs, and none that mean nothing there."""
    form, kind = preset.form, preset.form.kind
    volumes = form.base is not None or form.quote is not None
    if preset.is_trade and not volumes:
        raise ConfigError(f"base or quote must be given for kind {kind}: name the size's argument")
    if preset.is_trade and form.base and not form.quote and not (form.execution or form.after):
        raise ConfigError("quote must be given, or execution or after to compute it from base")
    if not preset.is_trade and (volumes or form.side):
        raise ConfigError(f"base, quote and side must be left out for kind {kind}")
    if kind in _MOVES_PRICE and (form.after in (None, "volumes", "remembered") or form.execution):
        raise ConfigError(f"after must be given, and execution left out, for kind {kind}")
    if kind == "funding" and form.value is None:
        raise ConfigError("value must be given for kind funding: name the rate's argument")
    if "volumes" in (form.execution, form.after) and not (form.base and form.quote):
        raise ConfigError('base and quote must both be given for a price of "volumes"')


def _check_number(event: Event, key: str, number: Number) -> None:
    if not number.terms:
        raise ConfigError(f"{key}.argument must name at least one argument, was empty")
    for name, _ in number.terms:
        _check_argument(event, f"{key}.argument", name, {"number"})
    _check_scale(f"{key}.scale", number.scale)


def _check_price(event: Event, key: str, price: Price) -> None:
    if not price.form:
        raise ConfigError(
            f"{key} must be argument with scale, or sqrt_x96, or quote with base: use one of them"
        )
    for name in price.arguments:
        _check_argument(event, key, name, {"number"})
    if price.scale is not None:
        _check_scale(f"{key}.scale", price.scale)
    for part in (price.quote, price.base):
        if part is not None:
            _check_scale(f"{key}.scale", part.scale)


def _check_scale(key: str, scale: int | str) -> None:
    if isinstance(scale, int) and scale not in _SCALES:
        raise ConfigError(f"{key} must be from 0 to {_SCALES[-1]}, was {scale}")


def _check_side(event: Event, side: Side | None) -> None:
    if side is None:
        return
    given = [key for key in ("flag", "sign", "position") if getattr(side, key) is not None]
    if len(given) != 1:
        raise ConfigError("side must have exactly one of flag, sign, position")
    if (side.long is None) != (given == ["sign"]):
        raise ConfigError('side.long must be "buy" or "sell" with flag and position only')
    _check_argument(event, "side.flag", side.flag, {"bool"})
    _check_argument(event, "side.position", side.position, {"number"})
    if side.sign is not None and not side.terms:
        raise ConfigError("side.sign must name at least one argument, was empty")
    for name, _ in side.terms:
        _check_argument(event, "side.sign", name, {"number"})


def _check_argument(event: Event, key: str, name: str | None, kinds: set[str]) -> None:
    """Check that the event has an argument called `name`, of one of the types `kinds`."""
    if name is None:
        return
    argument = event.argument(name)
    if argument is None:
        known = ", ".join(a.name for a in event.arguments)
        raise ConfigError(f"{key} must name one of its arguments ({known}), was {name!r}")
    if ("number" if argument.bits else argument.type) not in kinds:
        raise ConfigError(
            f"{key} must name an argument of type {' or '.join(sorted(kinds))}, "
            f"{name!r} is {argument.type}"
        )
