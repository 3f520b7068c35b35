"""The demo's markets: the facts of the original design, and what makes their charts look alive."""

from dataclasses import dataclass
from typing import Final

from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.model import MarketSpec

CHAIN_ID: Final = 1337
EXCHANGE: Final = "DEMO"


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """One invented market.

    `price` in dollars is where it starts and returns to; ticks are 10^-tick_digits dollars, lots
    10^-lot_digits units; `fee` in 1/10,000 of the notional. `minimum_trade` is dollars for GOLD
    and units for the others, as the original lists it. `usual_lots` is the median trade.
    `day_bp` is how far a day's random steps carry the price, in basis points; `hourly_trades`
    how many seeded trades it gets an hour.
    """

    symbol: str
    name: str
    address: str
    price: float
    tick_digits: int
    lot_digits: int
    max_leverage: int
    fee: int
    minimum_trade: float
    smallest_lots: int
    usual_lots: float
    day_bp: float
    hourly_trades: int
    tier: int = 1

    @property
    def unit(self) -> int:
        """Return how many 10^-18 dollars one tick of one lot is worth."""
        return int(10 ** (18 - self.tick_digits - self.lot_digits))

    @property
    def tick_unit(self) -> int:
        """Return how many 10^-18 dollars a tick is."""
        return int(10 ** (18 - self.tick_digits))

    @property
    def contract(self) -> ContractMarket:
        """Return the market as the decoder knows it."""
        spec = MarketSpec(
            symbol=self.symbol,
            name=self.name,
            exchange=EXCHANGE,
            chain_id=CHAIN_ID,
            contract=self.address,
            base=self.symbol,
            quote="USD",
            price_decimals=self.tick_digits,
            tier=self.tier,
        )
        return ContractMarket(self.address, spec, built_in("vamm"))


MARKETS: Final = (
    DemoMarket(
        symbol="GOLD",
        name="Gold",
        address="0xde30000000000000000000000000000000000001",
        price=2_000.50,
        tick_digits=2,
        lot_digits=2,
        max_leverage=50,
        fee=30,
        minimum_trade=100,
        smallest_lots=100,
        usual_lots=350,
        day_bp=90,
        hourly_trades=900,
    ),
    DemoMarket(
        symbol="BTC",
        name="Bitcoin",
        address="0xde30000000000000000000000000000000000002",
        price=45_000,
        tick_digits=1,
        lot_digits=3,
        max_leverage=100,
        fee=20,
        minimum_trade=0.001,
        smallest_lots=1,
        usual_lots=60,
        day_bp=260,
        hourly_trades=1_500,
    ),
    DemoMarket(
        symbol="ETH",
        name="Ether",
        address="0xde30000000000000000000000000000000000003",
        price=2_500,
        tick_digits=2,
        lot_digits=2,
        max_leverage=75,
        fee=25,
        minimum_trade=0.01,
        smallest_lots=1,
        usual_lots=90,
        day_bp=320,
        hourly_trades=1_200,
    ),
)
HOURLY_TRADES: Final = sum(market.hourly_trades for market in MARKETS)  # 3,600: one a second
