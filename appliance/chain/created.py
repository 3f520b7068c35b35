"""Created markets: what a factory's logs say of markets that it makes, or switches on and off.

In go logs of one chain, in any order, from anyone; out come `Created`, ascending by (block, log
index). Only logs of the factories named are believed: a topic0 alone proves nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from appliance.chain import abi
from appliance.chain.counts import Counts, Malformed
from appliance.chain.event import EventPreset
from appliance.chain.log import Logs
from appliance.chain.preset import Preset


@dataclass(frozen=True, slots=True)
class Created:
    """A market that a factory made, or (where `active` is not None) one that it switched.

    All addresses are in lower case. `address` is the contract that emits the market's trades,
    and `key` the market's id in there as 0x and 64 digits, empty where the contract is one
    market. `id` is what the factory itself calls the market, 0x and 64 digits: a switch names
    the market by `id` (or key) alone, its `address` is then empty. `address` is also empty where
    the factory only keeps a register for other contracts (perp-v2): then every contract
    configured with this preset has the market. `token0` of zeros is the chain's own coin.
    `pool_fee` is in the factory's own unit, for Uniswap and its kin 1/1,000,000; 0 if none.
    """

    block_number: int
    log_index: int
    factory: str
    address: str
    key: str
    symbol: str
    token0: str
    token1: str
    active: bool | None
    id: str = ""
    name: str = ""
    pool_fee: int = 0


def created(
    preset: Preset, logs: Logs, factories: Collection[str], counts: Counts
) -> list[Created]:
    """Return what `factories` (addresses in lower case) said; the counts learn of all others."""
    found: list[Created] = []
    for row, (address, topics) in enumerate(zip(logs.address, logs.topics, strict=True)):
        factory = address.lower()
        if factory not in factories:
            counts.foreign += 1
            continue
        event = preset.creations.get(topics[0].lower()) if topics else None
        if event is None:
            counts.ignored += 1
            continue
        try:
            values = abi.values(event.event, topics, logs.data[row])
        except ValueError as error:
            where = logs.block_number[row], logs.log_index[row], logs.transaction_hash[row]
            counts.add_malformed(Malformed(*where, event.event.name, str(error)))
            continue
        counts.decoded += 1
        found.append(
            _created(event, factory, values, (logs.block_number[row], logs.log_index[row]))
        )
    return sorted(found, key=lambda c: (c.block_number, c.log_index))


def _created(
    event: EventPreset, factory: str, values: dict[str, Any], at: tuple[int, int]
) -> Created:
    form = event.form

    def value(argument: str | None) -> Any:
        return values[argument] if argument else ""

    address = value(form.contract)
    if form.kind == "market" and form.key and not form.registry:
        address = factory
    return Created(
        *at,
        factory=factory,
        address=address,
        key=_word(value(form.key)),
        symbol=_text(value(form.symbol)),
        token0=value(form.token0),
        token1=value(form.token1),
        active=bool(value(form.active)) if form.active else None,
        id=_word(value(form.id)),
        name=_text(value(form.name)),
        pool_fee=int(value(form.pool_fee) or 0),
    )


def _text(value: str | bytes) -> str:
    """Return a string, or what 32 bytes spell before their zeros."""
    return value if isinstance(value, str) else value.rstrip(b"\0").decode("utf-8", "replace")


def _word(value: str | int | bytes) -> str:
    """Return an address, a number or 32 bytes as 0x and 64 digits; empty stays empty."""
    if value == "":
        return ""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    number = int(value, 16) if isinstance(value, str) else value
    return f"0x{number % 2**256:064x}"
