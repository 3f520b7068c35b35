"""Discovery: which contracts are believed, what markets are called, and what a reorg takes back."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from appliance.chain.counts import Counts
from appliance.chain.decode import Decoder
from appliance.chain.event import EventPreset
from appliance.chain.log import Log, Logs
from appliance.chain.preset import Preset, built_in
from appliance.errors import ConfigError
from appliance.files.symbol import canonical_symbol
from appliance.following.chains import ChainTerms, ContractTerms
from appliance.following.discovery import Discovered, Discovery
from appliance.following.tokens import Tokens
from appliance.metrics import Metrics
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import Missing, Unavailable
from tests.chain_logs import ALICE, BOB, made
from tests.fake_chain import FakeChain
from tests.fake_contracts import Contracts
from tests.fake_rpc import FakeNode

FACTORY = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
POOL = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
OTHER_POOL = "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
"""The lower address, which makes it token0 of its pool with WETH."""
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
PEPE = "0x6982508145454ce325ddbe47a25d4ec3d2311933"
ZERO = "0x" + 40 * "0"


def discovery(*contracts: ContractTerms, chain_id: int = 1) -> Discovery:
    terms = ChainTerms(("http://node.example",), "", None, None, contracts, "test")
    return Discovery(chain_id, terms, Tokens(chain_id))


def pools(factory: bool = True, **more: Any) -> Discovery:
    address = FACTORY if factory else POOL
    return discovery(ContractTerms(address, built_in("uniswap-v3"), factory=factory, **more))


def node() -> Contracts:
    """Return a node with three tokens and two pools."""
    contracts = Contracts()
    contracts.token(USDC, "USDC", 6, "USD Coin")
    contracts.token(WETH, "WETH", 18, "Wrapped Ether")
    contracts.token(PEPE, "PEPE", 18, "Pepe")
    contracts.put(FACTORY)
    contracts.put(POOL, token0=int(USDC, 16), token1=int(WETH, 16), fee=500)
    contracts.put(OTHER_POOL, token0=int(PEPE, 16), token1=int(WETH, 16), fee=3_000)
    return contracts


def pool_created(
    pool: str = POOL,
    tokens: tuple[str, str] = (USDC, WETH),
    at: tuple[int, int] = (100, 0),
    factory: str = FACTORY,
    fee: int = 500,
) -> Log:
    values = {"token0": tokens[0], "token1": tokens[1], "fee": fee, "tickSpacing": 10, "pool": pool}
    return creation(built_in("uniswap-v3"), "PoolCreated", values, at, factory)


def creation(
    preset: Preset, name: str, values: dict[str, Any], at: tuple[int, int], factory: str
) -> Log:
    """Return the log of a factory's event, the newest form of it where there are several."""
    topic = next(t for t, e in preset.creations.items() if e.event.name == name)
    only = dataclasses.replace(preset, events={topic: preset.creations[topic]})
    return made(only, name, values, at, factory)


def vamm_created(symbol: str, at: tuple[int, int] = (100, 0), vamm: str = POOL) -> Log:
    values = {
        "marketId": bytes(32),
        "symbol": symbol,
        "vamm": vamm,
        "vault": ALICE,
        "oracle": ALICE,
        "collateralToken": USDC,
        "startingPrice": 10**18,
        "marketType": 0,
    }
    return creation(built_in("vamm"), "MarketCreated", values, at, FACTORY)


async def learn(
    found: Discovery, logs: Sequence[Log], contracts: Contracts | None = None
) -> list[Discovered]:
    return await found.learn(contracts or node(), Logs.of(logs), Counts())


# -- what is asked for --


def test_what_is_asked_for_follows_from_the_terms() -> None:
    v3, vamm = built_in("uniswap-v3"), built_in("vamm")
    found = discovery(
        ContractTerms(FACTORY, v3, factory=True), ContractTerms(POOL, v3), ContractTerms(PEPE, vamm)
    )
    assert [FACTORY, POOL, PEPE] == found.addresses
    assert [FACTORY] == found.factories
    assert list(v3.creation_topics) == found.factory_topics
    assert [*v3.topics, *vamm.topics, *v3.creation_topics] == found.topics
    assert [] == found.holders


def test_a_contract_that_is_its_own_factory_is_asked_for_both() -> None:
    v4 = built_in("uniswap-v4")
    found = discovery(ContractTerms(POOL, v4))
    assert ([POOL], [POOL], [(POOL, v4)]) == (found.addresses, found.factories, found.holders)
    assert {*v4.topics, *v4.creation_topics} == set(found.topics)


async def test_found_markets_are_asked_for_too() -> None:
    found = pools()
    await learn(found, [pool_created()])
    assert [FACTORY, POOL] == found.addresses
    assert [FACTORY, POOL] == found.made_by([FACTORY])
    assert [] == found.made_by([POOL])
    assert [POOL] == [market.address for market in found.markets]


# -- contracts that the operator named --


async def test_a_named_pool_is_read_from_the_chain() -> None:
    found = pools(factory=False)
    expected = Discovered(
        address=POOL,
        preset="uniswap-v3",
        symbol="WETH/USDC",
        price_rule="execution",
        name="Wrapped Ether / USD Coin",
        base="WETH",
        quote="USDC",
        decimals0=6,
        decimals1=18,
        invert=True,
        pool_fee=500,
    )
    assert [expected] == await found.configured(node())
    (market,) = found.markets
    assert (6, 18, True, None) == (
        *(market.decimals0, market.decimals1, market.invert),
        market.key or None,
    )
    spec = market.market_spec
    assert ("WETH/USDC", 1, POOL, "WETH", "USDC", "chain", "execution", "APPLIANCE") == (
        *(spec.symbol, spec.chain_id, spec.contract, spec.base, spec.quote),
        *(spec.order, spec.price_rule, spec.exchange),
    )
    Decoder(1, found.markets)
    assert [] == await found.configured(node())


async def test_the_operator_s_word_counts() -> None:
    found = pools(
        factory=False, symbol="DOLLAR/ETHER", invert=False, price="after", exchange="UNISWAP"
    )
    (row,) = await found.configured(node())
    assert ("DOLLAR/ETHER", "DOLLAR", "ETHER", False, "after") == (
        *(row.symbol, row.base, row.quote, row.invert, row.price_rule),
    )
    assert "UNISWAP" == found.markets[0].market_spec.exchange


@pytest.mark.parametrize(
    ("symbol", "invert", "base"),
    [("USDC/WETH", False, "USDC"), ("WETH/USDC", True, "WETH"), ("ETHUSD", True, "WETH")],
)
async def test_a_named_symbol_decides_the_quote(symbol: str, invert: bool, base: str) -> None:
    """A price of USDC in WETH must not stand below WETH/USDC."""
    (row,) = await pools(factory=False, symbol=symbol).configured(node())
    assert (symbol, invert, base) == (row.symbol, row.invert, row.base)


@pytest.mark.parametrize(
    ("preset", "views", "expected"),
    [
        ("vamm", {"symbol": "gold", "name": "Gold vAMM"}, ("GOLD", "Gold vAMM", "GOLD", "USD")),
        ("vamm", {"name": "Gold/usd"}, ("GOLD/USD", "Gold/usd", "GOLD", "USD")),
        ("vamm", {}, ("0X88E6A0", "0X88E6A0", "0X88E6A0", "USD")),
        (
            "synthetix-perps-v2",
            {"baseAsset": b"sETH".ljust(32, b"\0")},
            ("SETH", "SETH", "SETH", "USD"),
        ),
    ],
)
async def test_a_named_market_says_its_name_itself(
    preset: str, views: dict[str, Any], expected: tuple[str, str, str, str]
) -> None:
    contracts = Contracts()
    contracts.put(POOL, **views)
    found = discovery(ContractTerms(POOL, built_in(preset)))
    (row,) = await found.configured(contracts)
    assert expected == (row.symbol, row.name, row.base, row.quote)
    assert not row.invert


async def test_a_named_symbol_spares_no_check_of_the_contract() -> None:
    """No code usually means the wrong chain."""
    with pytest.raises(ConfigError, match=f"contract {POOL} must exist on the chain of the node"):
        await pools(factory=False, symbol="GOLD").configured(Contracts())
    with pytest.raises(ConfigError, match=f"contract {FACTORY} must exist"):
        await pools().configured(Contracts())


async def test_a_named_contract_that_is_no_pool_is_refused() -> None:
    contracts = Contracts()
    contracts.put(POOL)
    with pytest.raises(ConfigError, match=r"must be a pool with token0\(\) and token1\(\), as"):
        await pools(factory=False).configured(contracts)


async def test_named_contracts_come_in_the_order_named() -> None:
    v3 = built_in("uniswap-v3")
    found = discovery(ContractTerms(OTHER_POOL, v3), ContractTerms(POOL, v3))
    assert ["PEPE/WETH", "WETH/USDC"] == [r.symbol for r in await found.configured(node())]


@pytest.mark.parametrize("answered", range(10))
async def test_a_failing_node_names_nothing(answered: int) -> None:
    """Whichever of the questions it fails at, the next try finds the truth."""
    contracts, found = node(), pools(factory=False)
    contracts.down_after = answered
    with pytest.raises(Unavailable):
        await found.configured(contracts)
    assert [] == found.markets
    contracts.down_after = None
    (row,) = await found.configured(contracts)
    assert ("WETH/USDC", 6, 18, 500) == (row.symbol, row.decimals0, row.decimals1, row.pool_fee)


async def test_a_real_endpoint_is_asked_as_well_as_a_fake_one() -> None:
    """Over HTTP: answers, reverts and code are those of JSON-RPC."""
    contracts, chain = node(), FakeChain()
    contracts.put(ALICE)  # a market that answers nothing
    chain.mine_empty(3)
    for address in contracts.deployed:
        chain.deploy(address, at=1)
    for (to, data), answer in contracts.answers.items():
        chain.answer(to, data, "0x" + answer.hex())
    found = discovery(
        ContractTerms(POOL, built_in("uniswap-v3")), ContractTerms(ALICE, built_in("vamm"))
    )
    async with FakeNode(chain) as fake:
        endpoint = Endpoint(fake.url, "fake", Metrics())
        await endpoint.open()
        try:
            rows = await found.configured(endpoint)
            gone = discovery(ContractTerms(BOB, built_in("vamm")))
            with pytest.raises(ConfigError, match=f"contract {BOB} must exist"):
                await gone.configured(endpoint)
        finally:
            await endpoint.close()
    assert [("WETH/USDC", 6, 18, 500), ("0X000000", 18, 18, 0)] == [
        (row.symbol, row.decimals0, row.decimals1, row.pool_fee) for row in rows
    ]


# -- markets of factories --


async def test_a_factory_s_pool_becomes_a_market() -> None:
    contracts, found = node(), pools(exchange="UNISWAP")
    (row,) = await learn(found, [pool_created(at=(100, 7))], contracts)
    assert ("WETH/USDC", FACTORY, 100, 7, 500, "UNISWAP") == (
        *(row.symbol, row.factory, row.block_number, row.log_index, row.pool_fee),
        row.exchange,
    )
    assert 0 == contracts.asked(POOL, "fee")
    assert 0 == contracts.asked(POOL, "token0")


async def test_markets_come_in_the_order_of_the_chain() -> None:
    """Names go to the first one: (block, log index) decides, not the order of arrival."""
    found = pools()
    logs = [
        pool_created(OTHER_POOL, (PEPE, WETH), (101, 0)),
        pool_created(POOL, at=(100, 2)),
        pool_created(ALICE, (USDC, PEPE), (100, 1)),
    ]
    rows = await learn(found, logs)
    assert ["PEPE/USDC", "WETH/USDC", "PEPE/WETH"] == [row.symbol for row in rows]
    assert rows == [found_row for found_row in rows if found_row.factory == FACTORY]
    assert [row.address for row in rows] == [market.address for market in found.markets]


async def test_learning_twice_finds_nothing_new() -> None:
    """Neither in the same logs, nor in later ones, nor where the market was named already."""
    found = pools()
    assert 1 == len(await learn(found, [pool_created(), pool_created(at=(101, 0))]))
    assert [] == await learn(found, [pool_created(), pool_created(at=(102, 0))])
    v3 = built_in("uniswap-v3")
    both = discovery(ContractTerms(FACTORY, v3, factory=True), ContractTerms(POOL, v3, symbol="X"))
    await both.configured(node())
    assert [] == await learn(both, [pool_created()])
    assert ["X"] == [market.spec.symbol for market in both.markets]


async def test_the_operator_s_word_counts_for_a_factory_s_market_too() -> None:
    """Also where the factory's log comes again, after a reorg took the market back."""
    v3 = built_in("uniswap-v3")
    found = discovery(ContractTerms(FACTORY, v3, factory=True), ContractTerms(POOL, v3, symbol="X"))
    for block in (100, 101):
        assert ["X"] == [row.symbol for row in await learn(found, [pool_created(at=(block, 0))])]
        found.retract(block)


async def test_only_the_configured_factory_is_believed() -> None:
    """Anyone can emit the same event."""
    found, counts = pools(), Counts()
    logs = Logs.of([pool_created(factory=ALICE), pool_created(OTHER_POOL, factory=POOL)])
    assert [] == await found.learn(node(), logs, counts)
    assert Counts() == counts
    assert [FACTORY] == found.addresses


async def test_a_market_is_no_factory() -> None:
    """What a factory made may not make others."""
    found = pools()
    await learn(found, [pool_created()])
    assert [] == await learn(found, [pool_created(OTHER_POOL, (PEPE, WETH), factory=POOL)])


async def test_a_malformed_log_of_a_factory_is_counted() -> None:
    found, counts = pools(), Counts()
    broken = pool_created()._replace(data="0x1234")
    logs = Logs.of([broken, pool_created(at=(101, 0))])
    assert 1 == len(await found.learn(node(), logs, counts))
    assert (1, 1) == (counts.decoded, counts.malformed)


async def test_other_logs_are_passed_over() -> None:
    """All logs of a block may be given; only the factories' are counted."""
    found, counts = pools(), Counts()
    swap = pool_created()._replace(topics=["0x" + 64 * "1"])
    bare = pool_created()._replace(topics=[])
    assert [] == await found.learn(node(), Logs.of([swap, bare]), counts)
    assert Counts() == counts
    assert [] == await found.learn(node(), Logs(), counts)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("GOLD", ("GOLD", "GOLD", "USD")),
        ("eth/usdc", ("ETH/USDC", "ETH", "USDC")),
        ("<b>GOLD</b>", ("BGOLD/B", "BGOLD", "B")),
        ("", ("0X88E6A0", "0X88E6A0", "USD")),
        ("💎", ("0X88E6A0", "0X88E6A0", "USD")),
        ("G" * 1_000, ("G" * 32, "G" * 32, "USD")),
    ],
)
async def test_a_factory_says_a_vamm_s_symbol(said: str, expected: tuple[str, str, str]) -> None:
    found = discovery(ContractTerms(FACTORY, built_in("vamm"), factory=True))
    contracts = Contracts()
    contracts.put(POOL)
    (row,) = await learn(found, [vamm_created(said)], contracts)
    assert expected == (row.symbol, row.base, row.quote)
    assert row.symbol == canonical_symbol(row.symbol)
    assert ("after", False, 0) == (row.price_rule, row.invert, row.pool_fee)


async def test_a_vamm_that_has_a_symbol_is_not_asked() -> None:
    found, contracts = discovery(ContractTerms(FACTORY, built_in("vamm"), factory=True)), node()
    await learn(found, [vamm_created("GOLD")], contracts)
    assert [] == contracts.calls


async def test_a_failing_node_loses_no_market() -> None:
    """Learning is all or nothing, so that the block can be taken again."""
    contracts, found = node(), pools()
    logs = [pool_created(), pool_created(OTHER_POOL, (PEPE, WETH), (101, 0))]
    contracts.down_after = 4
    with pytest.raises(Unavailable):
        await learn(found, logs, contracts)
    assert [] == found.markets
    contracts.down_after = None
    assert 2 == len(await learn(found, logs, contracts))


async def test_logs_are_counted_once_though_a_node_failed() -> None:
    contracts, found, counts = node(), pools(), Counts()
    logs = Logs.of([pool_created(), pool_created(at=(101, 0))._replace(data="0x")])
    contracts.down_after = 4
    with pytest.raises(Unavailable):
        await found.learn(contracts, logs, counts)
    assert Counts() == counts
    contracts.down_after = None
    await found.learn(contracts, logs, counts)
    assert (1, 1) == (counts.decoded, counts.malformed)


async def test_a_switched_market_stays_what_it_is() -> None:
    """It is followed whether or not its factory has switched it off: it may trade again."""
    found = discovery(ContractTerms(FACTORY, built_in("vamm"), factory=True))
    values = {"marketId": bytes(32), "active": False}
    switch = creation(built_in("vamm"), "MarketStatusChanged", values, (100, 1), FACTORY)
    contracts = Contracts()
    assert 1 == len(await learn(found, [vamm_created("GOLD"), switch], contracts))
    assert [] == await learn(found, [switch], contracts)
    assert [POOL] == [market.address for market in found.markets]


def without(preset: Preset, *keys: str) -> Preset:
    """Return a preset of the operator's, whose events do not tell some things."""

    def events(known: dict[str, EventPreset]) -> dict[str, EventPreset]:
        nothing = dict.fromkeys(keys)
        return {
            topic: EventPreset(e.event, msgspec.structs.replace(e.form, **nothing))
            for topic, e in known.items()
        }

    return dataclasses.replace(
        preset, events=events(preset.events), creations=events(preset.creations)
    )


async def test_a_factory_that_names_no_tokens_leaves_them_to_the_pool(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A pool that does not tell them either cannot be read, and stops nobody else."""
    preset = without(built_in("uniswap-v3"), "token0", "token1")
    found = discovery(ContractTerms(FACTORY, preset, factory=True))
    contracts = node()
    contracts.put(ALICE)
    logs = [pool_created(ALICE, at=(100, 0)), pool_created(at=(100, 1))]
    for _ in range(2):
        await learn(found, logs, contracts)
    assert ["WETH/USDC"] == [market.spec.symbol for market in found.markets]
    assert [f"contract {ALICE}: does not answer token0() and token1(), and is left out"] == [
        record.getMessage() for record in caplog.records
    ]
    found.retract(100)
    contracts.put(ALICE, token0=int(PEPE, 16), token1=int(WETH, 16))
    assert ["PEPE/WETH", "WETH/USDC"] == [r.symbol for r in await learn(found, logs, contracts)]


async def test_a_pool_that_tells_one_volume_only_is_never_turned() -> None:
    """Base and quote can change places only where both are told."""
    preset = without(built_in("uniswap-v3"), "quote", "execution")
    found = discovery(ContractTerms(FACTORY, preset, factory=True))
    assert ["USDC/WETH"] == [row.symbol for row in await learn(found, [pool_created()])]


def silent_about_tokens() -> tuple[Discovery, Log]:
    preset = without(built_in("uniswap-v3"), "token0", "token1")
    return discovery(ContractTerms(FACTORY, preset, factory=True)), pool_created()


def silent_about_symbols() -> tuple[Discovery, Log]:
    return discovery(ContractTerms(FACTORY, built_in("vamm"), factory=True)), vamm_created("")


@pytest.mark.parametrize(
    "case", [lambda: (pools(), pool_created()), silent_about_tokens, silent_about_symbols]
)
async def test_a_node_that_is_behind_names_nothing(
    case: Callable[[], tuple[Discovery, Log]],
) -> None:
    """Its silence on a contract of the newest block is no answer."""
    contracts = Contracts()
    contracts.head = 99
    found, log = case()
    with pytest.raises(Missing):
        await learn(found, [log], contracts)
    assert [] == found.markets
    node_at_head = node()
    assert 1 == len(await learn(found, [log], node_at_head))


async def test_a_token_is_asked_once_for_all_pools() -> None:
    contracts, found = node(), pools()
    logs = [
        pool_created(f"0x{number:040x}", (PEPE, WETH), (100, number)) for number in range(1, 50)
    ]
    assert 49 == len(await learn(found, logs, contracts))
    assert (1, 1) == (contracts.asked(WETH, "symbol"), contracts.asked(PEPE, "decimals"))


# -- which of two tokens is the quote --


@pytest.mark.parametrize(
    ("symbol0", "symbol1", "expected"),
    [
        ("USDC", "WETH", "WETH/USDC"),
        ("WETH", "USDT", "WETH/USDT"),
        ("WBTC", "WETH", "WBTC/WETH"),
        ("WETH", "WBTC", "WBTC/WETH"),
        ("WBNB", "CAKE", "CAKE/WBNB"),
        ("USDC", "USDT", "USDC/USDT"),
        ("DAI", "USDC", "DAI/USDC"),
        ("AAA", "BBB", "AAA/BBB"),
        ("PEPE", "WETH", "PEPE/WETH"),
    ],
)
async def test_the_quote_is_the_more_usual_one(symbol0: str, symbol1: str, expected: str) -> None:
    contracts, found = node(), pools()
    contracts.token(USDC, symbol0)
    contracts.token(WETH, symbol1)
    (row,) = await learn(found, [pool_created()], contracts)
    assert expected == row.symbol
    assert row.invert == (not expected.startswith(symbol0))


async def test_a_factory_s_terms_hold_for_its_markets() -> None:
    (row,) = await learn(pools(invert=False, price="after"), [pool_created()])
    assert ("USDC/WETH", False, "after") == (row.symbol, row.invert, row.price_rule)


# -- markets under keys --


def word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


async def test_a_pool_manager_s_pools_have_keys() -> None:
    """Address zero is the chain's own coin, and a fee that changes is none."""
    v4 = built_in("uniswap-v4")
    found = discovery(ContractTerms(POOL, v4))
    arguments = {a.name: 0 for e in v4.creations.values() for a in e.event.arguments}
    values = arguments | {"currency0": ZERO, "currency1": USDC, "hooks": ZERO, "id": b"\x07" * 32}
    log = creation(v4, "Initialize", values | {"fee": 0x800000}, (100, 1), POOL)
    (row,) = await learn(found, [log])
    assert ("ETH/USDC", POOL, "0x" + "07" * 32, 18, 6, False, 0) == (
        *(row.symbol, row.address, row.key, row.decimals0, row.decimals1),
        *(row.invert, row.pool_fee),
    )
    Decoder(1, found.markets)


async def test_a_pool_made_before_the_start_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Its key is a hash: no question reveals its tokens. Said once."""
    found = discovery(ContractTerms(POOL, built_in("uniswap-v4")))
    for _ in range(2):
        assert [] == await found.learn_keys(node(), [(POOL, "0x" + "07" * 32)], 100)
    assert 1 == len(caplog.records)
    assert "set an earlier START_BLOCK" in caplog.text


async def test_a_register_s_markets_belong_to_the_contract_that_trades() -> None:
    v2 = built_in("perp-v2")
    found = discovery(
        ContractTerms(FACTORY, v2, factory=True), ContractTerms(POOL, v2, exchange="PERP")
    )
    contracts = node()
    contracts.token(PEPE, "vETH")
    values = {"baseToken": PEPE, "feeRatio": 3_000, "pool": ALICE}
    log = creation(v2, "PoolAdded", values, (100, 0), FACTORY)
    (row,) = await learn(found, [log], contracts)
    assert (POOL, word(PEPE), "VETH", "USD", FACTORY, 3_000, "PERP") == (
        *(row.address, row.key, row.symbol, row.quote, row.factory),
        *(row.pool_fee, row.exchange),
    )
    assert [] == await found.learn_keys(contracts, [(POOL, word(PEPE))], 101)


async def test_a_market_of_synthetix_says_its_symbol() -> None:
    v3 = built_in("synthetix-perps-v3")
    found = discovery(ContractTerms(POOL, v3))
    values = {"perpsMarketId": 100, "marketName": "Ethereum", "marketSymbol": "ETH"}
    (row,) = await learn(found, [creation(v3, "MarketCreated", values, (100, 0), POOL)])
    assert (f"0x{100:064x}", "ETH", "Ethereum", "USD") == (
        *(row.key, row.symbol, row.name, row.quote),
    )


@pytest.mark.parametrize(
    ("preset", "key", "views", "expected"),
    [
        ("gmx-v1", word(PEPE), {"symbol": "WETH"}, "WETH"),
        ("perp-v1", word(PEPE), {"priceFeedKey": b"ETH".ljust(32, b"\0")}, "ETH"),
        ("perp-v1", word(PEPE), {}, "0X698250"),
        ("perp-v2", word(PEPE), {}, "0X698250"),
        ("synthetix-perps-v3", f"0x{100:064x}", {}, "MARKET-100"),
    ],
)
async def test_a_key_in_a_trade_makes_a_market_known(
    preset: str, key: str, views: dict[str, Any], expected: str
) -> None:
    contracts = Contracts()
    contracts.put(POOL)
    contracts.put(PEPE, **views)
    found = discovery(ContractTerms(POOL, built_in(preset)))
    (row,) = await found.learn_keys(contracts, [(POOL, key), (POOL, key)], 100)
    assert (expected, POOL, key, 100, POOL) == (
        *(row.symbol, row.address, row.key, row.block_number, row.factory),
    )
    assert [] == await found.learn_keys(contracts, [(POOL, key)], 101)
    Decoder(1, found.markets)


async def test_keys_of_contracts_that_are_not_believed_are_nothing() -> None:
    found = discovery(ContractTerms(POOL, built_in("gmx-v1")))
    assert [] == await found.learn_keys(node(), [(ALICE, word(PEPE))], 100)
    assert [] == await pools(factory=False).learn_keys(node(), [(POOL, word(PEPE))], 100)


# -- reorgs and restarts --


async def test_a_reorg_takes_back_what_its_blocks_made_known() -> None:
    """The operator's own contracts stay, whatever the block."""
    v3 = built_in("uniswap-v3")
    found = discovery(ContractTerms(FACTORY, v3, factory=True), ContractTerms(OTHER_POOL, v3))
    await found.configured(node())
    (kept,) = await learn(found, [pool_created(at=(100, 0))])
    (gone,) = await learn(found, [pool_created(ALICE, (USDC, PEPE), (101, 0))])
    assert [] == found.retract(102)
    assert [gone] == found.retract(101)
    assert [OTHER_POOL, kept.address] == [market.address for market in found.markets]
    (again,) = await learn(found, [pool_created(ALICE, (USDC, PEPE), (102, 3))])
    assert (102, 3) == (again.block_number, again.log_index)
    assert {kept.address, ALICE} == {row.address for row in found.retract(0)}
    assert [OTHER_POOL] == [market.address for market in found.markets]


async def test_what_was_discovered_comes_back_after_a_restart() -> None:
    """As JSON, in any order; nothing is asked again."""
    before = pools()
    logs = [pool_created(), pool_created(OTHER_POOL, (PEPE, WETH), (101, 0))]
    rows = [msgspec.json.encode(row) for row in await learn(before, logs)]
    after = pools()
    after.load(msgspec.json.decode(row, type=Discovered) for row in reversed(rows))
    assert before.markets == after.markets
    assert before.addresses == after.addresses
    contracts = node()
    assert [] == await learn(after, logs, contracts)
    assert [] == contracts.calls
    assert [OTHER_POOL] == [row.address for row in after.retract(101)]


async def test_a_contract_that_is_no_longer_configured_is_not_believed() -> None:
    rows = await learn(pools(), [pool_created()])
    rows += await pools(factory=False).configured(node())
    other = discovery(ContractTerms(PEPE, built_in("vamm")))
    other.load(rows)
    assert ([], [PEPE]) == (other.markets, other.addresses)


async def test_terms_that_change_too_late_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Half a market's candles would be upside down."""
    rows = await pools(factory=False).configured(node())
    after = pools(factory=False, invert=False, price="after", symbol="ETH", exchange="X")
    after.load(rows)
    assert [] == await after.configured(node())
    (market,) = after.markets
    assert (True, "execution", "WETH/USDC") == (
        *(market.invert, market.price_rule, market.spec.symbol),
    )
    assert {
        f"WETH/USDC (contract {POOL}): {change}, as its stored trades have it, and {wanted} has no "
        "effect: begin with an empty DATA_DIR to change it"
        for change, wanted in (
            *(("price stays execution", "after"), ("invert stays true", "false")),
            *(("symbol stays WETH/USDC", "ETH"), ("exchange stays unset", "X")),
        )
    } == {record.getMessage() for record in caplog.records}


async def test_terms_that_stay_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    said: dict[str, Any] = {"invert": False, "price": "after", "symbol": "ETH", "exchange": "X"}
    rows = await pools(factory=False, **said).configured(node())
    pools(factory=False, **said).load(rows)
    pools(factory=False).load(rows)
    assert [] == caplog.records


async def test_another_preset_is_read_anew() -> None:
    """A wrong preset has stored nothing: its topics never came."""
    rows = await pools(factory=False).configured(node())
    after = discovery(ContractTerms(POOL, built_in("pancake-v3")))
    after.load(rows)
    assert ["pancake-v3"] == [row.preset for row in await after.configured(node())]
    assert ["pancake-v3"] == [market.preset.name for market in after.markets]


async def test_many_markets_are_read_a_few_at_a_time() -> None:
    """A node is not asked a thousand questions at once."""

    class Slow(Contracts):
        now, most = 0, 0

        async def code(self, address: str, at: int | str) -> str:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return "0x60"

    contracts = Slow()
    vamm = built_in("vamm")
    found = discovery(*(ContractTerms(f"0x{n:040x}", vamm) for n in range(1, 100)))
    assert 99 == len(await found.configured(contracts))
    assert 16 == contracts.most
