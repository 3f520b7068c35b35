"""Presets: TOML files that say which events a protocol emits and what their arguments mean.

`built_in("vamm")` reads one of ours, `load(path)` the user's. What comes out is checked whole: no
mistake in a file waits for the first log. The forms are described in `appliance/chain/form.py`.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, Literal

from appliance.chain import check, toml
from appliance.chain.event import EventPreset
from appliance.chain.lines import Lines
from appliance.errors import ConfigError
from appliance.model import PriceRule

FOLDER: Final = Path(__file__).resolve().parent / "presets"


@dataclass(frozen=True, eq=False)
class Preset:
    """A protocol's events by topic0, and the price rule that suits its users.

    `events` are what markets emit, `creations` what factories emit; the hints `tokens`,
    `symbol_call` and `quote` (see `PresetForm`) help to name markets.
    """

    name: str
    price_rule: PriceRule
    events: dict[str, EventPreset]
    creations: dict[str, EventPreset]
    tokens: Literal["", "pair", "key"] = ""
    symbol_call: str = ""
    quote: str = ""

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """Return the topic0 of everything that markets emit: trades, marks and funding."""
        return tuple(self.events)

    @cached_property
    def creation_topics(self) -> tuple[str, ...]:
        """Return the topic0 of everything that factories emit."""
        return tuple(self.creations)

    @cached_property
    def keyed(self) -> bool:
        """Return whether one contract holds many markets, told apart by their keys."""
        return any(event.form.market for event in self.events.values())

    @cached_property
    def lists_itself(self) -> bool:
        """Return whether the contract with the markets is also the factory that makes them."""
        return any(e.form.key and not e.form.registry for e in self.creations.values())

    @cached_property
    def scaled_by_tokens(self) -> bool:
        """Return whether amounts are to be read with the decimals of the market's tokens."""
        return any(event.scaled_by_tokens for event in self.events.values())

    @cached_property
    def remembers_sides(self) -> bool:
        """Return whether a position's side is told by an earlier log than the trade's."""
        return any(event.recalls_side for event in self.events.values())

    @cached_property
    def remembers_marks(self) -> bool:
        """Return whether a trade may need the mark price that an earlier block told."""
        return bool(self.mark_kinds)

    @cached_property
    def side_kinds(self) -> tuple[str, ...]:
        """Return the kinds of stored rows that say whether a position is long."""
        telling = [e.form.kind for e in self.events.values() if e.tells_side]
        return tuple(dict.fromkeys(telling)) if self.remembers_sides else ()

    @cached_property
    def mark_kinds(self) -> dict[str, EventPreset]:
        """Return the kinds of stored rows that say a mark price needed later, with their events."""
        if not any(event.recalls_mark for event in self.events.values()):
            return {}
        return {kind: e for e in self.events.values() for kind in e.stored_mark_kinds}


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
        ConfigError: names the file, the line, the event, the key and the cure.
    """
    try:
        return from_text(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the events file must be readable text: {error}") from error


def from_text(text: str, file: str) -> Preset:
    """Return the preset that `text` holds; `file` is its name in errors.

    Raises:
        ConfigError: names the file, the line, the event, the key and the cure.
    """
    lines = Lines(text, file)
    form = toml.form(text, lines)
    events: dict[str, EventPreset] = {}
    for number, event_form in enumerate(form.event):
        try:
            event = check.event(event_form)
            if event.event.topic0 in events:
                raise check.Mistake("signature", "signature must appear once: remove one")
        except check.Mistake as mistake:
            raise lines.error(str(mistake), mistake.key, number) from mistake
        events[event.event.topic0] = event
    if not events:
        raise lines.error("event must be a list of at least one [[event]], was empty", "event")
    try:
        check.together(list(events.values()))
    except check.Mistake as mistake:
        raise lines.error(str(mistake), mistake.key, mistake.event) from mistake
    return Preset(
        form.name,
        form.price_rule,
        {topic: e for topic, e in events.items() if not e.is_creation},
        {topic: e for topic, e in events.items() if e.is_creation},
        *(form.tokens, form.symbol_call, form.quote),
    )
