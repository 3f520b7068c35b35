"""What is wrong in a preset's file is named: file, line, event, key, value and cure."""

import pytest

from appliance.chain import preset
from appliance.errors import ConfigError
from tests.chain_files import INCREASE, PRICE, RATIO, START, SWAP, TRADE, event


def mistake(text: str) -> str:
    """Return what is said of a file called mine.toml."""
    with pytest.raises(ConfigError) as caught:
        preset.from_text(text, "mine.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('topic0 = "0x', 'topic0 = "0xab', 6, "topic0 must be 0x"),
        ("int256 amount0", "int7 amount0", 5, "T[n] or a tuple (T, …), was 'int7'"),
        ('kind = "trade"', 'kind = "tarde"', 7, "kind must be one of trade, open, close, "),
        ('kind = "trade"', 'kind = "tarde"', 7, "status, was 'tarde'"),
        ('kind = "trade"', 'kind = "trade"\ncolour = "red"', 8, "colour must be left out"),
        ('kind = "trade"', 'kind = "mark"', 9, "base, quote and side must be left out"),
        ('kind = "trade"', 'kind = "market"', 8, "execution must be left out for kind market"),
        ('kind = "trade"', 'kind = "trade"\ncontract = "who"', 8, "contract must be left out for"),
        ('kind = "trade"\n', "", 4, "kind must be given"),
        ('scale = "token0"', "scale = 18.5", 9, "base.scale must be a whole number, in a volume"),
        ('scale = "token0"', "scale = 18.5", 9, "was 18.5"),
        ('scale = "token0"', "scale = 99", 9, "base.scale must be from 0 to 77, was 99"),
        (', scale = "token0"', "", 9, "base.scale must be given"),
        ('argument = "amount0"', 'argument = "amount9"', 9, "(who, amount0, amount1, long, tag)"),
        ('argument = "amount0"', 'argument = "long"', 9, "'long' is bool"),
        ('argument = "amount0"', "argument = []", 9, "at least one argument"),
        ('argument = "amount0"', 'argument = ["amount0", 3]', 9, "base.argument[1] must be an"),
        ('sign = "-amount0"', "sign = []", 11, "at least one argument"),
        ('sign = "-amount0"', 'sign = "amount0", flag = "long"', 11, "position, had flag, sign"),
        ('sign = "-amount0"', 'flag = "long"', 11, 'side.long must be "buy" or "sell", was None'),
        ('sign = "-amount0"', 'sign = "amount0", long = "buy"', 11, "side.long must be left out"),
        (
            'execution = "volumes"',
            "execution = { scale = 3 }",
            8,
            "execution must be argument with",
        ),
        ('execution = "volumes"', 'execution = "volume"', 8, '"volumes" or "remembered", was'),
        ('execution = "volumes"', 'trader = "tag"', 8, "trader must name an argument of type addr"),
        ('execution = "volumes"', "trader = 7", 8, "trader must be a name or a text in quotes"),
    ],
)
def test_a_mistake_in_an_event_names_its_line(old: str, new: str, line: int, said: str) -> None:
    message = mistake(SWAP.replace(old, new, 1))
    assert message.startswith(f"mine.toml, line {line}: event Swap: ")
    assert said in message


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('price_rule = "execution"', 'price_rule = "before"', 3, "execution, after, was 'before'"),
        ('price_rule = "execution"', "", 1, "price_rule must be given"),
        ('name = "x"', "name = 3", 2, "name must be a name or a text in quotes, was 3"),
        ('name = "x"', 'name = "x"\ncolour = 3', 3, "colour must be left out"),
        ("[[event]]", "[[events]]", 4, "events must be left out"),
        ("[[event]]", "[event]", 4, "event must be a list of [[event]] tables, was"),
        ("[[event]]", "[[event", 4, "must be TOML: Expected ']]'"),
        ("side = {", "side = [", 11, "must be TOML"),
        ("side = ", "[", 11, "must be TOML"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(old: str, new: str, line: int, said: str) -> None:
    message = mistake(SWAP.replace(old, new, 1))
    assert message.startswith(f"mine.toml, line {line}: ")
    assert said in message


def test_the_line_is_that_of_the_events_own_key() -> None:
    """Of two events with the same keys, one written as a sub-table, the second is wrong."""
    keys = ('kind = "trade"', 'execution = "remembered"', "[event.base]", 'argument = "p"')
    second = event("Q(uint256 p)", *keys, "scale = 78")
    good = event("P(uint256 p)", TRADE, 'execution = { argument = "p", scale = 2 }')
    message = mistake(START + good + second)
    assert message == "mine.toml, line 14: event Q: base.scale must be from 0 to 77, was 78"


def test_events_written_inline_are_counted() -> None:
    text = 'event = [{ signature = "P(", topic0 = "", kind = "open" }]'
    assert mistake(START + text).startswith(
        "mine.toml, line 3: event number 1: signature must look like"
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (['kind = "mark"'], "after must be given as a price for kind mark"),
        (['kind = "sync"', 'after = "remembered"'], "after must be given as a price"),
        (['kind = "funding"'], "value must be given"),
        (['kind = "open"'], "base or quote must be given"),
        ([TRADE], "quote must be given"),
        ([TRADE, 'execution = "volumes"'], "both be given"),
        (['kind = "market"'], "contract or key must be given for kind market, and not both"),
        (['kind = "market"', 'key = "p"', 'active = "p"'], "use kind status"),
        (['kind = "market"', 'contract = "p"'], "contract must name an argument of type address"),
        (['kind = "market"', 'key = "p"', "registry = 1"], "registry must be true or false, was 1"),
        (['kind = "status"', 'id = "p"'], "active, and either id or key, must be given"),
        (
            ['kind = "mark"', 'after = { argument = "p", scale = 1 }', "execution = 'volumes'"],
            "execution must be left out for kind mark",
        ),
    ],
)
def test_each_kind_needs_its_own_keys(keys: list[str], said: str) -> None:
    assert said in mistake(START + event("P(uint256 p)", *keys))


def test_a_file_that_ends_too_early_names_its_last_line() -> None:
    message = mistake(START + "event = [\n")
    assert message.startswith("mine.toml, line 3: must be TOML: ")


def test_a_registry_needs_keys() -> None:
    keys = ('kind = "market"', 'contract = "p"', "registry = true")
    assert "registry must be left out without key" in mistake(START + event("P(address p)", *keys))


def test_a_preset_has_events_and_each_of_them_once() -> None:
    assert "at least one [[event]], was empty" in mistake(f"{START}event = []")
    twice = SWAP + SWAP[SWAP.index("[[event]]") :]
    message = mistake(twice)
    assert message == "mine.toml, line 13: event Swap: signature must appear once: remove one"


def test_an_argument_known_by_its_hash_only_is_refused() -> None:
    keys = ('kind = "market"', 'contract = "a"', 'symbol = "s"')
    message = mistake(START + event("P(address a,string indexed s)", *keys))
    assert "symbol must name an argument that is not indexed, 's' is" in message


def test_a_price_that_later_trades_need_must_be_readable_from_its_row() -> None:
    """The store keeps one raw integer of each row: a ratio of two could not be told again."""
    ratio = event("Moved(uint256 p,uint256 q)", 'kind = "mark"', RATIO)
    message = mistake(START + ratio + INCREASE)
    assert message.startswith("mine.toml, line 7: event Moved: after must be one argument")
    preset.from_text(START + ratio, "mine.toml")
    preset.from_text(START + ratio.replace('"mark"', '"sync"') + INCREASE, "mine.toml")


def test_a_kind_tells_the_price_in_one_event_only() -> None:
    twice = event("A(uint256 p)", 'kind = "mark"', PRICE) + event(
        "B(uint256 p)", 'kind = "mark"', PRICE
    )
    assert "event B: kind mark must tell the price after in one event" in mistake(
        START + twice + INCREASE
    )
    preset.from_text(START + twice, "mine.toml")


def test_all_events_of_a_shared_contract_name_their_market() -> None:
    price = 'execution = { argument = "p", scale = 2 }'
    keyed = event("A(uint256 p,address m)", TRADE, price, 'market = "m"')
    plain = event("B(uint256 p)", TRADE, price)
    message = mistake(START + keyed + plain)
    assert message.startswith("mine.toml, line 13: event B: market must be given")
