"""Logs per second that become rows, for each preset, against web3's own decoding.

One core, this process, one run. Ours goes the whole way from hex texts to the Arrow table, sides
and marks remembered; web3 only reads the arguments. Logs are random ones of twenty markets, all
events of the preset in equal parts. `read` counts those that became rows or marks.
"""

import random
import time
from pathlib import Path
from typing import Any, Final

from appliance.chain.decode import Decoder
from appliance.chain.event import EventPreset
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset, built_in, names
from appliance.model import MarketSpec
from tests import chain_random

LOGS: Final = 40_000
BATCH: Final = 2_000
BY_WEB3: Final = 1_000
ROUNDS: Final = 3
MARKETS: Final = 20
POSITIONS: Final = 2_000


def run(folder: Path) -> None:
    """Print a line for each preset; nothing is written to `folder`."""
    print(f"{'preset':>18} {'read':>7} {'web3 logs/s':>12} {'ours logs/s':>12} {'ratio':>6}")
    for name in names():
        preset = built_in(name)
        logs = _logs(preset, random.Random(name))
        read, ours = max((_ours(preset, logs) for _ in range(ROUNDS)), key=lambda found: found[1])
        web3 = _web3(preset, logs[:BY_WEB3])
        print(f"{name:>18} {read:>7,} {web3:>12,.0f} {ours:>12,.0f} {ours / web3:>6.0f}")


def _logs(preset: Preset, source: random.Random) -> list[Log]:
    """Return logs of all events in turn, twenty in a block, and a market for each turn."""
    events = list(preset.events.values())[::-1]  # the files write marks last, contracts first
    made = []
    for number in range(LOGS):
        turn, at = divmod(number, len(events))
        values = _values(events[at], turn % MARKETS + 1, source)
        log = chain_random.log(events[at], values, divmod(number, 20))
        address = chain_random.CONTRACT if preset.keyed else _address(turn % MARKETS + 1)
        made.append(log._replace(address=address))
    return made


def _values(event: EventPreset, market: int, source: random.Random) -> dict[str, Any]:
    """Return values as markets have them: amounts and prices from 0.01 to 1,000."""
    form, values = event.form, dict[str, Any]()
    for given in chain_random.json_abi(event)["inputs"]:
        name, kind = given["name"], given["type"]
        if name == form.market:
            values[name] = _key(kind, market)
        elif name == form.position:
            values[name] = source.randrange(POSITIONS)
        elif kind == "uint160":
            values[name] = int(2**96 * source.uniform(0.5, 2))
        elif kind in {"int24", "uint24"} or not kind.startswith(("int", "uint")):
            values[name] = chain_random.extreme(kind, source)
        else:
            size = int(10 ** (_scale(event, name) + source.uniform(-2, 3)))
            values[name] = size if kind[0] == "u" or source.random() < 0.5 else -size
    return values


def _scale(event: EventPreset, name: str) -> int:
    """Return how many digits after the point the preset gives an argument, 18 where none."""
    prices = (event.form.execution, event.form.after)
    for used in (*event.numbers.values(), *prices):
        argument, scale = getattr(used, "argument", None), getattr(used, "scale", None)
        if argument == name and isinstance(scale, int):
            return scale
    return 18


def _address(market: int) -> str:
    return f"0x{market:040x}"


def _key(kind: str, market: int) -> Any:
    if kind == "address":
        return _address(market)
    return market.to_bytes(32, "big") if kind == "bytes32" else market


def _decoder(preset: Preset) -> Decoder:
    markets = [
        ContractMarket(chain_random.CONTRACT, MarketSpec(str(n)), preset, key=f"0x{n:064x}")
        if preset.keyed
        else ContractMarket(_address(n), MarketSpec(str(n)), preset)
        for n in range(1, MARKETS + 1)
    ]
    return Decoder(1, markets)


def _ours(preset: Preset, logs: list[Log]) -> tuple[int, float]:
    """Return how many logs were read, and logs per second of CPU time."""
    decoder, read = _decoder(preset), 0
    batches = [Logs.of(logs[first : first + BATCH]) for first in range(0, len(logs), BATCH)]
    begun = time.process_time()
    for batch in batches:
        read += decoder.decode(batch).counts.decoded
    return read, len(logs) / (time.process_time() - begun)


def _web3(preset: Preset, logs: list[Log]) -> float:
    chain_random.by_web3(preset.events[logs[0].topics[0]], logs[0])  # the import is not measured
    begun = time.process_time()
    for log in logs:
        chain_random.by_web3(preset.events[log.topics[0]], log)
    return len(logs) / (time.process_time() - begun)
