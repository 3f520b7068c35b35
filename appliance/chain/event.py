"""Events of presets: a signature and what its arguments mean, and what follows from both."""

from dataclasses import dataclass
from typing import Final

from appliance.chain.form import EventForm, Number, Price
from appliance.chain.signature import Argument, Event

MOVES_PRICE: Final = frozenset({"mark", "sync"})
CREATES: Final = frozenset({"market", "status"})
_NUMBERS: Final = ("base", "quote", "fee", "pnl", "leverage", "value")


@dataclass(frozen=True, slots=True, eq=False)
class EventPreset:
    """An event and what its arguments mean."""

    event: Event
    form: EventForm

    @property
    def is_creation(self) -> bool:
        """Return whether a factory emits it."""
        return self.form.kind in CREATES

    @property
    def is_trade(self) -> bool:
        """Return whether its rows carry volume."""
        return self.form.kind not in {*MOVES_PRICE, *CREATES, "funding"}

    @property
    def numbers(self) -> dict[str, Number]:
        """Return its numbers by key."""
        return {k: number for k in _NUMBERS if (number := getattr(self.form, k)) is not None}

    @property
    def recalls_side(self) -> bool:
        """Return whether its side is what an earlier event said of the position."""
        return self.form.side is not None and self.form.side.position is not None

    @property
    def tells_side(self) -> bool:
        """Return whether it says on which side a position is."""
        side = self.form.side
        return side is not None and side.flag is not None and self.form.position is not None

    @property
    def recalls_mark(self) -> bool:
        """Return whether it needs the mark price that an earlier event told."""
        form = self.form
        if "remembered" in (form.execution, form.after):
            return True
        one_volume = self.is_trade and not (form.base and form.quote)
        return one_volume and (form.execution or form.after) is None

    @property
    def tells_mark(self) -> bool:
        """Return whether it says the mark price."""
        return isinstance(self.form.after, Price)

    @property
    def stored_mark_kinds(self) -> tuple[str, ...]:
        """Return the kinds of its rows, if these say a mark price that outlives their block."""
        if not self.tells_mark or self.form.kind == "sync":
            return ()
        return (self.form.kind, *(("liquidation",) if self.form.liquidated else ()))

    @property
    def scaled_by_tokens(self) -> bool:
        """Return whether its numbers depend on the decimals of the market's tokens."""
        numbers = list(self.numbers.values())
        prices = [p for p in (self.form.execution, self.form.after) if isinstance(p, Price)]
        numbers += [n for p in prices for n in (p.base, p.quote) if n is not None]
        return any(isinstance(number.scale, str) for number in numbers)

    def argument(self, name: str) -> Argument:
        """Return an argument that the check has found to exist."""
        found = self.event.argument(name)
        if found is None:
            raise KeyError(name)
        return found
