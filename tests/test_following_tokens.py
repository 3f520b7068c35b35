"""Tokens: what contracts say of themselves, and what is made of nonsense."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.files.symbol import canonical_symbol
from appliance.following import naming
from appliance.following.tokens import Token, Tokens
from appliance.following.views import ZERO, address_of, number_in, text_in
from appliance.rpc.errors import Missing, Nonsense, Unavailable
from tests.fake_contracts import Contracts

USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
MKR = "0x9f8f72aa9304c8b593d555f12ef6589cc3a579a2"


async def token(contracts: Contracts, address: str = USDC, at: int = 0) -> Token:
    return await Tokens(1).read(contracts, address, at)


async def test_a_token_is_read_once() -> None:
    contracts, tokens = Contracts(), Tokens(1)
    contracts.token(USDC, "USDC", 6, "USD Coin")
    found = await asyncio.gather(*(tokens.read(contracts, USDC.upper(), 5) for _ in range(9)))
    assert [Token(USDC, "USDC", "USD Coin", 6)] * 9 == found
    assert [1, 1, 1] == [contracts.asked(USDC, v) for v in ("symbol", "name", "decimals")]


async def test_old_tokens_answer_thirty_two_bytes() -> None:
    contracts = Contracts()
    contracts.put(MKR, symbol=b"MKR".ljust(32, b"\0"), name=b"Maker".ljust(32, b"\0"), decimals=18)
    assert Token(MKR, "MKR", "Maker", 18) == await token(contracts, MKR)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_token_that_says_nothing_has_six_digits_and_a_warning(
    silent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It reverts, or has a fallback that answers nothing."""
    contracts, tokens = Contracts(), Tokens(1)
    contracts.silent = silent
    contracts.put(USDC)
    for _ in range(2):
        assert Token(USDC, "0XA0B869", "0XA0B869", 18) == await tokens.read(contracts, USDC, 7)
    assert 1 == len(caplog.records)
    assert "decimals() must answer 0 to 77, answered nothing; 18 are assumed" in caplog.text
    assert USDC in caplog.text


@pytest.mark.parametrize(
    ("answer", "said"),
    [(78, "78"), (2**256 - 1, "1.15792e+77"), (b"\x06", "nothing"), (b"", "nothing")],
)
async def test_decimals_that_cannot_be_are_replaced(
    answer: int | bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    contracts = Contracts()
    contracts.put(USDC, symbol="USDC", name="USD Coin", decimals=answer)
    assert 18 == (await token(contracts)).decimals
    assert f"answered {said};" in caplog.text


@pytest.mark.parametrize("decimals", [0, 6, 77])
async def test_decimals_that_can_be_are_taken(
    decimals: int, caplog: pytest.LogCaptureFixture
) -> None:
    contracts = Contracts()
    contracts.token(USDC, "USDC", decimals)
    assert decimals == (await token(contracts)).decimals
    assert [] == caplog.records


@pytest.mark.parametrize("answered", range(3))
async def test_a_failing_node_decides_nothing(answered: int) -> None:
    """No fallback is taken, and nothing is remembered, whichever question fails."""
    contracts, tokens = Contracts(), Tokens(1)
    contracts.token(USDC, "USDC", 6)
    contracts.down_after = answered
    with pytest.raises(Unavailable):
        await tokens.read(contracts, USDC)
    contracts.down_after = None
    assert 6 == (await tokens.read(contracts, USDC)).decimals


async def test_a_node_that_is_behind_decides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It knows no such contract, because it has not seen the block that made it."""
    contracts, tokens = Contracts(), Tokens(1)
    contracts.head = 99
    with pytest.raises(Missing, match="block 100 must be known"):
        await tokens.read(contracts, USDC, 100)
    assert [] == caplog.records
    contracts.token(USDC, "USDC", 6)
    assert 6 == (await tokens.read(contracts, USDC, 100)).decimals


async def test_an_answer_that_is_no_hex_is_the_node_s_fault() -> None:
    contracts = Contracts()

    class Broken(Contracts):
        async def eth_call(self, to: str, data: str, at: int | str = "latest") -> str:
            return "0xzz"

    with pytest.raises(Nonsense, match=r"must answer hexadecimal digits, was '0xzz'"):
        await token(Broken())
    assert contracts.calls == []


@pytest.mark.parametrize(("chain_id", "expected"), [(1, "ETH"), (8_453, "ETH"), (137, "POL")])
async def test_address_zero_is_the_chain_s_own_coin(chain_id: int, expected: str) -> None:
    contracts = Contracts()
    found = await Tokens(chain_id).read(contracts, ZERO)
    assert (expected, 18) == (found.symbol, found.decimals)
    assert [] == contracts.calls


@pytest.mark.parametrize(
    ("symbol", "name", "expected"),
    [
        ("usdc", "", "USDC"),
        (" $PEPE ", "", "PEPE"),
        ("USD₮0", "", "USDT0"),
        ("ＵＳＤＣ", "", "USDC"),  # full width
        ("USDC.e", "", "USDC.E"),
        ("UNI/V2", "", "UNI-V2"),
        ("<script>alert(1)</script>", "", "SCRIPTALERT1-SC"),
        ("A" * 100_000, "", "A" * 15),
        ("ABCDEFGHIJKLMN-OPQ", "", "ABCDEFGHIJKLMN"),
        ("\0\n\x1b[31m", "", "31M"),
        ("💎", "Diamond Hands", "DIAMOND-HANDS"),
        ("...", "…", "0XA0B869"),
        ("\u202e", "\u202e", "0XA0B869"),
    ],
)
async def test_a_symbol_is_made_canonical(symbol: str, name: str, expected: str) -> None:
    contracts = Contracts()
    contracts.put(USDC, symbol=symbol, name=name, decimals=18)
    assert expected == (await token(contracts)).symbol


async def test_a_name_is_one_line_of_printable_characters() -> None:
    contracts = Contracts()
    contracts.put(USDC, symbol="X", name=" A\u202eB\n\tC\x1b[0m\0 " + "d" * 99, decimals=18)
    found = (await token(contracts)).name
    assert "AB C[0m " + "d" * 56 == found


@given(st.text())
def test_what_is_made_of_any_text_is_canonical(text: str) -> None:
    """Or empty, so that the next source is asked."""
    for made in (naming.asset(text), naming.market(text)):
        assert made in ("", canonical_symbol(made or "X"))
    pair = f"{naming.asset(text) or 'A'}/{naming.asset(text) or 'B'}"
    assert pair == canonical_symbol(pair)
    name = naming.label(text)
    assert name.isprintable()
    assert len(name) <= 64


@given(st.text(max_size=80))
def test_a_market_s_symbol_keeps_what_is_canonical(text: str) -> None:
    """Making it canonical twice changes nothing."""
    once = naming.market(text)
    assert once == naming.market(once)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eth/usd", "ETH/USD"),
        ("GOLD", "GOLD"),
        ("GOLD/", "GOLD"),
        ("/USD", "USD"),
        ("A/B/C", "A/B-C"),
        ("BTC-PERP_2", "BTC-PERP_2"),
        ("X" * 40, "X" * 32),
        ("X" * 40 + "/" + "Y" * 40, "X" * 15 + "/" + "Y" * 15),
    ],
)
def test_a_market_s_symbol_has_one_slash_at_most(text: str, expected: str) -> None:
    assert expected == naming.market(text)


@given(st.binary(max_size=200))
def test_any_answer_is_read(answer: bytes) -> None:
    """A contract answers what it likes; nothing of it is an error."""
    text_in(answer)
    number_in(answer)
    address_of(answer)


@pytest.mark.parametrize(
    "answer",
    [
        (2**255).to_bytes(32) + bytes(64),  # an offset far away
        (32).to_bytes(32) + (2**255).to_bytes(32),  # a length of everything
        (64).to_bytes(32) + bytes(32),  # an offset at the end
        b"\xff\xfe" + bytes(30),
        bytes(64),
        b"",
    ],
)
def test_a_text_that_is_none_is_empty(answer: bytes) -> None:
    assert text_in(answer).strip("\0") == ""


def test_a_text_shorter_than_it_says_is_what_is_there() -> None:
    assert "USDC" == text_in((32).to_bytes(32) + (99).to_bytes(32) + b"USDC")


@pytest.mark.parametrize("answer", [b"", bytes(31), bytes(32), (2**160).to_bytes(32)])
def test_an_address_that_is_none_is_empty(answer: bytes) -> None:
    assert "" == address_of(answer)


@pytest.mark.parametrize(
    ("symbols", "ranks"),
    [
        ("USDC USDT DAI USDBC USDC.E CRVUSD USDT0 GHO FDUSD VUSD", 4),
        ("ETH WETH", 3),
        ("WBTC CBBTC TBTC", 2),
        ("WBNB WMATIC WAVAX", 1),
        ("PEPE UNI LINK USDX-LP STETH WSTETH BTCX", 0),
    ],
)
def test_dollars_are_the_first_choice_of_a_quote(symbols: str, ranks: int) -> None:
    words = symbols.split()
    assert dict.fromkeys(words, ranks) == {w: naming.quote_rank(w) for w in words}


def test_the_log_shows_a_hostile_symbol_in_its_canonical_form(
    caplog: pytest.LogCaptureFixture,
) -> None:
    contracts = Contracts()
    contracts.put(USDC, symbol="\x1b[2J\nroot: gone", name="", decimals=b"")
    with caplog.at_level(logging.WARNING):
        asyncio.run(token(contracts))
    assert "\x1b" not in caplog.text
    assert "(2J-ROOT-GONE)" in caplog.text
