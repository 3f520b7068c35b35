"""Every event of every preset, read by us, by eth_abi and by web3: not one difference.

The ABI that the other two are given is built from the signature by other code than ours. `make
bench` compares with web3 alone, over more logs.
"""

import random
from typing import Any

import numpy as np
import pytest
from eth_abi.abi import decode

from appliance.chain import abi, preset, words
from appliance.chain.counts import Counts
from appliance.chain.created import created
from appliance.chain.decode import Decoder
from appliance.chain.event import EventPreset
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset
from appliance.chain.signature import Argument
from appliance.model import MarketSpec
from tests import chain_random as made

EVERY = [
    (name, topic)
    for name in preset.names()
    for topic in (*preset.built_in(name).topics, *preset.built_in(name).creation_topics)
]
LOGS = 1_000
BY_WEB3 = 100  # web3 reads about a thousand a second

Values = dict[str, Any]


def event_of(name: str, topic: str) -> EventPreset:
    read = preset.built_in(name)
    return (read.events | read.creations)[topic]


def random_logs(event: EventPreset, seed: str, count: int = LOGS) -> list[tuple[Values, Log]]:
    source = random.Random(seed)
    inputs = made.json_abi(event)["inputs"]
    found = []
    for number in range(count):
        values = {i["name"]: made.extreme(i["type"], source) for i in inputs}
        found.append((values, made.log(event, values, (number // 100, number % 100))))
    return found


def by_words(event: EventPreset, logs: list[Log]) -> list[Values]:
    """Return what the vectorised reader makes of logs whose arguments all have a fixed length."""
    block, bad = words.parse(event.event, [log.topics for log in logs], [log.data for log in logs])
    assert not bad
    columns = {}
    for argument in event.event.arguments:
        assert not words.range_problems(argument, block).any()
        columns[argument.name] = column(argument, block)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def column(argument: Argument, block: words.Bytes) -> list[Any]:
    if argument.type == "address":
        return words.addresses(argument, block)
    if argument.type == "bytes32":
        return [row.tobytes() for row in np.ascontiguousarray(block[:, argument.word])]
    assert argument.bits or argument.type == "bool"
    return words.integers(argument, block)


def by_eth_abi(event: EventPreset, log: Log) -> Values:
    inputs = made.json_abi(event)["inputs"]
    plain = [i for i in inputs if not i["indexed"]]
    read = decode([i["type"] for i in plain], bytes.fromhex(log.data[2:]))
    found = dict(zip([i["name"] for i in plain], read, strict=True))
    indexed = [i for i in inputs if i["indexed"]]
    for i, topic in zip(indexed, log.topics[1:], strict=True):
        found[i["name"]] = decode([i["type"]], bytes.fromhex(topic[2:]))[0]
    return found


@pytest.mark.parametrize(("name", "topic"), EVERY)
def test_no_difference_to_eth_abi_and_web3(name: str, topic: str) -> None:
    event = event_of(name, topic)
    pairs = random_logs(event, name + topic)
    logs = [log for _, log in pairs]
    if event.is_creation:
        ours = [abi.values(event.event, log.topics, log.data) for log in logs]
    else:
        ours = by_words(event, logs)
    assert ours == [values for values, _ in pairs]
    assert ours == [by_eth_abi(event, log) for log in logs]
    assert ours[:BY_WEB3] == [made.by_web3(event, log) for log in logs[:BY_WEB3]]


def market_of(read: Preset, log: Log) -> ContractMarket:
    key = ""
    if read.keyed:
        event = read.events[log.topics[0]]
        named = event.argument(event.form.market or "")
        at = 2 + 64 * (named.word - event.event.topics)
        key = log.topics[named.word + 1] if named.indexed else "0x" + log.data[at : at + 64]
    return ContractMarket(log.address, MarketSpec("X"), read, key=key)


@pytest.mark.parametrize("name", preset.names())
def test_every_extreme_log_is_decoded_or_named(name: str) -> None:
    """Nothing overflows on the way to the table, and nothing is lost without a word."""
    read = preset.built_in(name)
    for topic in read.topics:
        logs = [log for _, log in random_logs(read.events[topic], topic + "whole", 300)]
        counts = Decoder(1, [market_of(read, logs[0])]).decode(Logs.of(logs)).counts
        assert counts.decoded + counts.ignored + counts.malformed == 300
        assert counts.ignored == 0 or read.keyed or read.events[topic].form.skip_zero
    counts = Counts()
    for topic in read.creation_topics:
        pairs = random_logs(read.creations[topic], topic + "whole", 300)
        found = created(read, Logs.of(log for _, log in pairs), {made.CONTRACT}, counts)
        assert len(found) == 300
    assert counts == Counts(decoded=300 * len(read.creation_topics))
