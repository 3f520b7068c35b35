"""Which contracts are believed, and how markets inside one contract are found."""

from typing import Any

import pytest

from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.errors import ConfigError
from appliance.model import MarketSpec
from tests.chain_logs import ALICE, BOB, ETHER, POOL, Q96, VAMM, key_of, made, swap

PERP = built_in("perp-v2")


def changed(token: str, at: tuple[int, int] = (1, 0), size: int = ETHER) -> Log:
    values = {"trader": ALICE, "baseToken": token, "exchangedPositionSize": size}
    values |= {"exchangedPositionNotional": ETHER, "fee": 0, "openNotional": 0, "realizedPnl": 0}
    return made(PERP, "PositionChanged", values | {"sqrtPriceAfterX96": Q96}, at)


def market(key: str, address: str = VAMM) -> ContractMarket:
    return ContractMarket(address, MarketSpec("X"), PERP, key=key)


def test_unknown_keys_come_once_and_in_the_order_of_the_chain() -> None:
    decoder = Decoder(1, [market(key_of(ALICE))])
    logs = [
        changed(POOL, (3, 0)),
        changed(BOB, (2, 7)),
        changed(BOB, (2, 1)),
        changed(ALICE, (1, 0)),
    ]
    logs.append(changed(POOL, (2, 2)))
    expected = [(VAMM, key_of(BOB)), (VAMM, key_of(POOL))]
    assert decoder.unknown(Logs.of(logs)) == expected
    decoded = decoder.decode(Logs.of(logs))
    assert (decoded.counts.decoded, decoded.counts.ignored) == (1, 4)


def test_what_is_found_can_be_added_and_is_read_then() -> None:
    decoder = Decoder(1)
    decoder.watch(VAMM.upper().replace("0X", "0x"), PERP)
    logs = Logs.of([changed(BOB, (1, 0)), changed(ALICE, (1, 1))])
    for _, key in decoder.unknown(logs):
        decoder.add([market(key)])
    decoded = decoder.decode(logs)
    assert decoder.unknown(logs) == []
    assert decoded.trades["market_id"].to_pylist() == [0, 1]
    assert [spec.contract for spec in decoder.specs] == [
        f"{VAMM}:{key_of(BOB)}",
        f"{VAMM}:{key_of(ALICE)}",
    ]


def test_a_contract_that_nobody_named_tells_nothing() -> None:
    stranger = changed(BOB)._replace(address=POOL)
    decoder = Decoder(1, [market(key_of(ALICE))])
    assert decoder.unknown(Logs.of([stranger])) == []
    assert decoder.decode(Logs.of([stranger])).counts.foreign == 1
    assert Decoder(1).unknown(Logs.of([stranger])) == []


GOOD = changed(BOB)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (GOOD._replace(topics=GOOD.topics[:2]), "must have 3 topics, had 2"),
        (
            GOOD._replace(topics=[*GOOD.topics[:2], "0x" + "f" * 64]),
            "baseToken must be of type addr",
        ),
        (
            GOOD._replace(topics=[*GOOD.topics[:2], "0x" + "0" * 24 + "g" * 40]),
            "must be of type addr",
        ),
        (GOOD._replace(data=GOOD.data[:-2]), "data must be 6 words, was 5.96875"),
    ],
)
def test_a_log_that_does_not_tell_its_market_is_named(log: Log, said: str) -> None:
    decoder = Decoder(1, [market(key_of(ALICE))])
    decoded = decoder.decode(Logs.of([log]))
    assert (decoder.unknown(Logs.of([log])), decoded.counts.malformed) == ([], 1)
    (example,) = decoded.counts.examples
    assert example.event == "PositionChanged"
    assert said in example.reason


def test_other_events_of_a_shared_contract_are_ignored() -> None:
    decoder = Decoder(1, [market(key_of(ALICE))])
    other = GOOD._replace(topics=["0x" + "7a" * 32])
    logs = Logs.of([other, GOOD._replace(topics=[])])
    assert (decoder.decode(logs).counts.ignored, decoder.unknown(logs)) == (2, [])


def test_a_key_in_the_data_is_read_from_there() -> None:
    gmx = built_in("gmx-v1")
    values: dict[str, Any] = {
        "key": b"\1" * 32,
        "account": ALICE,
        "collateralToken": ALICE,
        "indexToken": BOB,
    }
    values |= {"collateralDelta": 0, "sizeDelta": 0, "isLong": True, "price": 1, "fee": 0}
    log = made(gmx, "IncreasePosition", values)
    decoder = Decoder(1)
    decoder.watch(VAMM, gmx)
    upper = log._replace(data="0x" + log.data[2:].upper())
    assert decoder.unknown(Logs.of([log, upper])) == [(VAMM, key_of(BOB))]
    short = Logs.of([log._replace(data=log.data[:130])])
    assert (decoder.unknown(short), decoder.decode(short).counts.malformed) == ([], 1)


def test_a_contract_is_one_market_or_many_of_one_preset() -> None:
    decoder = Decoder(1, [market(key_of(ALICE))])
    decoder.watch(VAMM, PERP)
    for wrong in (
        ContractMarket(VAMM, MarketSpec("Y"), built_in("vamm")),
        ContractMarket(VAMM, MarketSpec("Y"), built_in("gmx-v1"), key=key_of(BOB)),
        market(key_of(ALICE).upper().replace("0X", "0x")),
    ):
        with pytest.raises(ConfigError, match="must be given once"):
            decoder.add([wrong])
    with pytest.raises(ConfigError, match="must be given once"):
        decoder.watch(POOL, built_in("vamm"))
    assert len(decoder.specs) == 1


@pytest.mark.parametrize("key", ["", "0x12", BOB, "0x" + "g" * 64])
def test_a_market_of_a_shared_contract_has_a_key(key: str) -> None:
    with pytest.raises(ConfigError, match="key must be 0x and 64 digits, as contracts of preset"):
        market(key)


def test_a_contract_that_is_one_market_has_no_key() -> None:
    with pytest.raises(ConfigError, match="key must be left out with preset vamm, was '0x"):
        ContractMarket(VAMM, MarketSpec("X"), built_in("vamm"), key=key_of(BOB))


def test_markets_that_come_later_do_not_move_those_before() -> None:
    decoder = Decoder(1, [ContractMarket(POOL, MarketSpec("A"), built_in("uniswap-v3"))])
    first = decoder.specs
    decoder.add(ContractMarket(a, MarketSpec(a), built_in("uniswap-v3"), 6) for a in (ALICE, BOB))
    logs = [swap(-1, 1, at=(i, 0))._replace(address=a) for i, a in enumerate((BOB, POOL, ALICE))]
    assert decoder.decode(Logs.of(logs)).trades["market_id"].to_pylist() == [2, 0, 1]
    assert decoder.specs[:1] == first
    assert decoder.specs is decoder.specs
