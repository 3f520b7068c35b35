"""Presets: what is in the files is true, and what is wrong in a file is named."""

from pathlib import Path

import pytest
from eth_hash.auto import keccak

from appliance.chain import preset, signature
from appliance.errors import ConfigError

SWAP = """
name = "x"
price_rule = "execution"
[[event]]
signature = "Swap(address indexed who, int256 amount0, int256 amount1, bool long, bytes32 tag)"
topic0 = "{topic0}"
kind = "trade"
execution = "volumes"
base = {{ argument = "amount0", scale = "token0" }}
quote = {{ argument = "amount1", scale = "token1" }}
side = {{ sign = "-amount0" }}
""".format(topic0="0x" + keccak(b"Swap(address,int256,int256,bool,bytes32)").hex())

# As EVENTS.md has them: a second source beside keccak.
KNOWN = {
    ("vamm", "PositionOpened"): "0x345a1e15bff227bf",
    ("vamm", "PositionClosed"): "0x035509dd26c2d331",
    ("vamm", "PositionIncreased"): "0x2337e687da16f7f7",
    ("vamm", "PositionLiquidated"): "0xeb125fc2316e5599",
    ("vamm", "FundingUpdated"): "0xd0794ac40e87e336",
    ("vamm", "BondingCurveUpdated"): "0x1551b5180ce27b1b",
    ("simple-vamm", "PositionOpened"): "0x5cf8fa4a8e333990",
    ("simple-vamm", "PositionClosed"): "0x398340331999d3ec",
    ("simple-vamm", "PriceUpdated"): "0x31423be1df71d4ec",
    ("uniswap-v3", "Swap"): "0xc42079f94a6350d7",
}


@pytest.mark.parametrize("name", preset.names())
def test_every_topic0_is_the_hash_of_its_signature(name: str) -> None:
    events = preset.built_in(name).events
    assert events
    for topic0, event in events.items():
        assert topic0 == "0x" + keccak(event.event.canonical.encode()).hex() == event.form.topic0


def test_the_presets_hold_the_events_we_know() -> None:
    found = {
        (name, e.event.name): topic0[:18]
        for name in preset.names()
        for topic0, e in preset.built_in(name).events.items()
    }
    assert found == KNOWN


def test_price_rules_are_those_of_the_protocols() -> None:
    rules = {name: preset.built_in(name).price_rule for name in preset.names()}
    assert rules == {"vamm": "after", "simple-vamm": "after", "uniswap-v3": "execution"}


def test_words_are_counted_over_topics_then_data() -> None:
    event = signature.parse("E(uint a, address indexed b, int24 c, bytes32 indexed d)")
    assert {a.name: a.word for a in event.arguments} == {"b": 0, "d": 1, "a": 2, "c": 3}
    assert event.canonical == "E(uint256,address,int24,bytes32)"
    assert (event.topics, event.words, event.dynamic) == (2, 2, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Swap", "Name(type [indexed] name"),
        ("Swap(uint256)", "argument must be"),
        ("Swap(uint7 a)", "type must be"),
        ("Swap(uint256 a, uint256 a)", "name each argument once"),
        ("Swap(int a indexed)", "argument must be"),
        ("S(int indexed a,int indexed b,int indexed c,int indexed d)", "at most 3 indexed"),
    ],
)
def test_a_wrong_signature_is_explained(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        signature.parse(text)
    assert said in str(caught.value)


def test_a_right_file_is_accepted() -> None:
    (event,) = preset.from_text(SWAP, "mine.toml").events.values()
    assert event.event.name == "Swap"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('topic0 = "0x', 'topic0 = "0xab', "topic0 must be 0x"),
        ('kind = "trade"', 'kind = "tarde"', "'tarde'"),
        ('kind = "trade"', 'kind = "trade"\ncolour = "red"', "colour"),
        ('kind = "trade"', 'kind = "mark"', "base, quote and side must be left out"),
        ('scale = "token0"', "scale = 18.5", "base.scale"),
        ('scale = "token0"', "scale = 99", "base.scale must be from 0 to 77, was 99"),
        ('argument = "amount0"', 'argument = "amount9"', "(who, amount0, amount1, long, tag)"),
        ('argument = "amount0"', 'argument = "long"', "'long' is bool"),
        ('argument = "amount0"', "argument = []", "at least one argument"),
        ('sign = "-amount0"', "sign = []", "at least one argument"),
        ('sign = "-amount0"', 'sign = "amount0", flag = "long"', "exactly one of"),
        ('sign = "-amount0"', 'flag = "long"', "side.long must be"),
        ('execution = "volumes"', "execution = { scale = 3 }", "execution must be argument with"),
        ('execution = "volumes"', 'trader = "tag"', "trader must name an argument of type address"),
        ('price_rule = "execution"', 'price_rule = "before"', "price_rule"),
        ("[[event]]", "[[event", "must be TOML"),
    ],
)
def test_a_mistake_names_file_and_cure(old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        preset.from_text(SWAP.replace(old, new, 1), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert said in message
    if old not in {"[[event]]", 'price_rule = "execution"'}:
        assert "event Swap" in message


def test_roles_need_their_keys() -> None:
    head = 'signature = "P(uint256 p)"\ntopic0 = "0x' + keccak(b"P(uint256)").hex() + '"\n'
    start = 'name = "x"\nprice_rule = "after"\n'
    for kind, said in (
        ("mark", "after must be given"),
        ("funding", "value must be given"),
        ("open", "base or quote must be given"),
    ):
        with pytest.raises(ConfigError, match=said):
            preset.from_text(f'{start}[[event]]\n{head}kind = "{kind}"', "mine.toml")
    base = 'kind = "trade"\nbase = { argument = "p", scale = 1 }'
    with pytest.raises(ConfigError, match="quote must be given"):
        preset.from_text(f"{start}[[event]]\n{head}{base}", "mine.toml")
    with pytest.raises(ConfigError, match="both be given"):
        preset.from_text(f'{start}[[event]]\n{head}{base}\nexecution = "volumes"', "mine.toml")
    with pytest.raises(ConfigError, match="at least one"):
        preset.from_text(f"{start}event = []", "mine.toml")


def test_the_same_event_twice_is_refused() -> None:
    twice = SWAP + SWAP[SWAP.index("[[event]]") :]
    with pytest.raises(ConfigError, match="must appear once"):
        preset.from_text(twice, "mine.toml")


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="simple-vamm, uniswap-v3, vamm, was 'uniswap'"):
        preset.built_in("uniswap")


def test_a_users_file_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(ConfigError, match=r"mine\.toml: the events file must be readable"):
        preset.load(path)
    path.write_text(SWAP)
    assert preset.load(path).name == "x"
