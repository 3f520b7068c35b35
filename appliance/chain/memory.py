"""What a contract's earlier logs said that later ones leave out.

A vAMM names the side of a position only when it opens, and an increase happens at a mark price
that an earlier log announced. Nothing of this is stored apart: rows of the table `trades` tell it
all again, by `relearn_side` and `mark_fraction`, after a restart or a retraction.
"""

from dataclasses import dataclass, field

from appliance.chain import price
from appliance.chain.form import Price
from appliance.chain.market import ContractMarket, MarketTerms
from appliance.chain.preset import Preset
from appliance.chain.price import Fraction


@dataclass(slots=True)
class Memory:
    """Sides by (contract, position id) and mark prices by contract, of one chain.

    `contract` is the market's key: the address in lower case, with `:<id>` where one contract
    holds many markets. Mark prices are exact fractions (numerator, denominator).
    """

    _long: dict[tuple[str, str], bool] = field(default_factory=dict)
    _marks: dict[str, Fraction] = field(default_factory=dict)

    def remember_side(self, contract: str, position: str, long: bool) -> None:
        """Keep whether the position is long."""
        self._long[contract, position] = long

    def relearn_side(self, market: ContractMarket, position: str, side: str) -> None:
        """Keep what the side of a stored row of `preset.side_kinds` tells; empty tells nothing."""
        if side:
            self.remember_side(market.market_key, position, (side == "buy") != market.invert)

    def long(self, contract: str, position: str) -> bool | None:
        """Return whether the position is long, None when it was never seen opening."""
        return self._long.get((contract, position))

    def forget(self, contract: str, position: str) -> None:
        """Drop a position that will not be mentioned again."""
        self._long.pop((contract, position), None)

    def remember_mark(self, contract: str, mark: Fraction) -> None:
        """Keep the contract's newest mark price."""
        self._marks[contract] = mark

    def mark(self, contract: str) -> Fraction | None:
        """Return the contract's newest mark price, None when none was seen."""
        return self._marks.get(contract)

    def clear(self) -> None:
        """Forget everything."""
        self._long.clear()
        self._marks.clear()


def mark_fraction(preset: Preset, terms: MarketTerms, kind: str, raw_price: int) -> Fraction | None:
    """Return the mark price that a stored row tells, exactly as decoding it had told it.

    `kind` and `raw_price` are the row's columns. None for rows that tell no mark price, which
    are all but those of `preset.mark_kinds`.
    """
    if raw_price <= 0 or kind not in preset.mark_kinds:
        return None
    form = preset.mark_kinds[kind].form
    if not isinstance(form.after, Price):
        raise TypeError("a checked preset has a price here")
    found = price.fractions(form.after, form, {form.after.word: [raw_price]}, terms, [])
    return found[0] if found else None
