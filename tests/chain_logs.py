"""Logs made by hand: eth_abi, which the product does not use, writes the bytes."""

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset, built_in
from appliance.model import MarketSpec, PriceRule

POOL = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
VAMM = "0x00000000000000000000000000000000000000aa"
ALICE = "0x00000000000000000000000000000000000a11ce"
BOB = "0x0000000000000000000000000000000000000b0b"
ETHER = 10**18
Q96 = 2**96


def event_topic(preset: Preset, name: str) -> str:
    """Return the topic0 of the event of that name, or with those types: `Sync(uint256,uint256)`."""
    events = preset.events | preset.creations
    return next(t for t, e in events.items() if name in {e.event.name, e.event.canonical})


def made(
    preset: Preset,
    name: str,
    values: dict[str, Any],
    at: tuple[int, int] = (100, 0),
    address: str = VAMM,
) -> Log:
    """Return a log of event `name` at (block, log index); a block is 12 seconds."""
    topic = event_topic(preset, name)
    arguments = (preset.events | preset.creations)[topic].event.arguments
    assert [a.name for a in arguments] == list(values)
    indexed = [encode([a.type], [values[a.name]]).hex() for a in arguments if a.indexed]
    plain = [a for a in arguments if not a.indexed]
    data = encode([a.type for a in plain], [values[a.name] for a in plain]).hex()
    block, index = at
    time_us = (1_700_000_000 + 12 * block) * 10**6
    topics = [topic, *("0x" + word for word in indexed)]
    return Log(block, time_us, f"0x{block:064x}", index, address, topics, "0x" + data)


def key_of(address: str) -> str:
    """Return an address as the key of a market: 0x and 64 digits."""
    return "0x" + "0" * 24 + address[2:]


def swap(amount0: int, amount1: int, sqrt_price: int = Q96, at: tuple[int, int] = (100, 0)) -> Log:
    values = {"sender": ALICE, "recipient": BOB, "amount0": amount0, "amount1": amount1}
    rest = {"sqrtPriceX96": sqrt_price, "liquidity": 1, "tick": -7}
    return made(built_in("uniswap-v3"), "Swap", values | rest, at, POOL)


def pool_decoder(
    decimals: tuple[int, int] = (6, 18), invert: bool = False, rule: PriceRule | None = None
) -> Decoder:
    spec, preset = MarketSpec("WETH/USDC", chain_id=1), built_in("uniswap-v3")
    market = ContractMarket(POOL, spec, preset, *decimals, invert=invert, price_rule=rule)
    return Decoder(1, [market])


def vamm_decoder(preset: str = "vamm", rule: PriceRule | None = None) -> Decoder:
    spec = MarketSpec("GOLD", chain_id=1)
    return Decoder(1, [ContractMarket(VAMM, spec, built_in(preset), price_rule=rule)])


def rows(decoder: Decoder, *logs: Log) -> list[dict[str, Any]]:
    decoded = decoder.decode(Logs.of(logs))
    assert decoded.counts.malformed == 0, decoded.counts.examples
    found: list[dict[str, Any]] = decoded.trades.to_pylist()
    return found


def read_csv(path: Path, address: str) -> list[Log]:
    """Return the logs of a file in the form of shared/data."""
    logs = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            time = datetime.fromisoformat(row["block_timestamp"]).replace(tzinfo=UTC)
            logs.append(
                Log(
                    int(row["block_number"]),
                    int(time.timestamp()) * 10**6,
                    row["transaction_hash"],
                    int(row["log_index"]),
                    address,
                    json.loads(row["topics"]),
                    row["data"],
                )
            )
    return logs


def exact(value: int, digits: int = 18) -> Decimal:
    """Return value / 10^digits with 18 digits after the point, as the table holds it."""
    return Decimal(f"{value * 10 ** (18 - digits)}e-18")  # scaleb would round to 28 digits


def little(value: int) -> bytes:
    return value.to_bytes(32, "little")
