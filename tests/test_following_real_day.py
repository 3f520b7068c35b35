"""The real day of Ethereum mainnet once more, from a node: what is followed equals the import."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from appliance.cli import main
from appliance.following.views import selector
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.store import Store
from tests.day_chain import Day, DayAnswers, DayLog
from tests.fake_chain import FakeChain
from tests.fake_rpc import FakeNode, served
from tests.following_served import serving
from tests.test_real_day import LOGS, POOL

FACTORY = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
POOL_CREATED = "0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118"
TOKENS = {USDC: ("USDC", "USD Coin", 6), WETH: ("WETH", "Wrapped Ether", 18)}
BEFORE, AFTER = 300, 90
_TRADES = """
SELECT trades.* EXCEPT (market_id) FROM trades ORDER BY sequence, tie
"""
_CANDLES = """
SELECT interval, bucket, argMinMerge(open), max(high), min(low), argMaxMerge(close),
    sum(base_volume), sum(quote_volume), sum(buy_volume), sum(buy_quote_volume), sum(trades),
    min(first_sequence), max(last_sequence), sum(rows)
FROM candles GROUP BY interval, bucket ORDER BY interval, bucket
"""

pytestmark = pytest.mark.skipif(
    not LOGS.exists(), reason="the real mainnet day (../shared/data) is not on this machine"
)


def read_day() -> Day:
    """Return the day, with the log by which the factory made the pool some blocks earlier."""
    logs = []
    with LOGS.open(newline="") as file:
        for row in csv.DictReader(file):
            when = datetime.fromisoformat(row["block_timestamp"]).replace(tzinfo=UTC)
            topics = json.loads(row["topics"])
            at = int(row["block_number"]), int(when.timestamp()), int(row["log_index"])
            logs.append(DayLog(POOL, topics, row["data"], *at, row["transaction_hash"]))
    first = logs[0].block - BEFORE
    topics = [POOL_CREATED, *(f"0x{int(word, 16):064x}" for word in (USDC, WETH, "0x1f4"))]
    data = "0x" + encode(["int24", "address"], [10, POOL]).hex()
    made = DayLog(FACTORY, topics, data, first, logs[0].time - 12 * BEFORE, 7, "0x" + "ab" * 32)
    return Day([made, *logs], logs[-1].block + AFTER)


def node_of(day: Day) -> FakeNode:
    """Return a node that has the day, and answers what the tokens say of themselves."""
    chain = FakeChain(chain_id=1)
    chain.deploy(FACTORY, at=day.logs[0].block - 5)
    for token, (symbol, name, decimals) in TOKENS.items():
        views = (("symbol", "string", symbol), ("name", "string", name))
        for view, kind, value in (*views, ("decimals", "uint8", decimals)):
            chain.answer(token, selector(f"{view}()"), "0x" + encode([kind], [value]).hex())
    node = FakeNode(chain)
    node._answers = DayAnswers(day, chain)
    return node


def import_day(data_dir: Path, price: str) -> None:
    """Import the day as in test_real_day."""
    command = ["import", str(LOGS), "--data-dir", str(data_dir), "--preset", "uniswap-v3"]
    command += ["--market", "WETH/USDC", "--address", POOL, "--decimals", "6,18", "--invert"]
    command += ["--price", price, "--chain-id", "1"]
    assert main(command) == 0


def contents(client: Any) -> tuple[list[Any], list[Any]]:
    """Return all trades and all candles."""
    return client.query(_TRADES).result_rows, client.query(_CANDLES).result_rows


def by_variables(url: str, data_dir: Path) -> Settings:
    """Say with variables what to follow; the price is the preset's."""
    return Settings(
        data_dir=data_dir,
        demo="off",
        ballast_size=1 << 20,
        rpc_url=(url,),
        factory_address=(FACTORY,),
        preset="uniswap-v3",
    )


def by_file(url: str, data_dir: Path) -> Settings:
    """Say the same with a file of markets, and the price of test_real_day."""
    path = data_dir.with_suffix(".toml")
    path.write_text(
        f"""[[chain]]
rpc_urls = ["{url}"]

[[chain.contract]]
address = "{FACTORY}"
preset = "uniswap-v3"
factory = true
price = "after"
"""
    )
    return Settings(data_dir=data_dir, demo="off", ballast_size=1 << 20, markets_file=str(path))


@pytest.mark.parametrize(("said", "price"), [(by_variables, "execution"), (by_file, "after")])
async def test_a_followed_day_equals_the_imported_one(
    said: Callable[[str, Path], Settings], price: str, tmp_path: Path
) -> None:
    """From the factory's log to the last candle: every column of every trade, every candle."""
    day = read_day()
    with served(node_of(day)) as node:
        async with serving(said(node.url, tmp_path / "followed")) as appliance:
            await appliance.until_at(day.head)
            (market,) = appliance.appliance.store.catalogue.all()
            followed = appliance.appliance.store.writer.call(contents).result(60)
    spec = market.spec
    assert ("WETH/USDC", POOL, 1) == (spec.symbol, spec.contract, spec.chain_id)

    import_day(tmp_path / "imported", price)
    store = Store(Settings(data_dir=tmp_path / "imported"), Metrics(), lambda _: None)
    store.open()
    try:
        imported = store.writer.call(contents).result(60)
        (other,) = store.catalogue.all()
    finally:
        store.close()
    assert price == spec.price_rule == other.spec.price_rule
    assert len(imported[0]) > 5_000
    for wanted, found in zip(imported, followed, strict=True):
        assert wanted == found
