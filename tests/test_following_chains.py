"""Chains: what the operator says becomes terms, and every mistake is named with its cure."""

import logging
from pathlib import Path

import pytest

from appliance import settings
from appliance.chain.preset import built_in
from appliance.errors import ConfigError
from appliance.following.chains import (
    ChainTerms,
    ContractTerms,
    configured,
    default_confirmations,
)

KEY = "hunter2hunter2"
NODE = f"https://node.example/{KEY}"
A = "0x00000000000000000000000000000000000000aa"
B = "0x00000000000000000000000000000000000000bb"
POOL = "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"
"""With its checksum."""
PRESET = (Path(__file__).parents[1] / "appliance/chain/presets/simple-vamm.toml").read_text()


def chains(**variables: str) -> tuple[ChainTerms, ...]:
    return configured(settings.read(variables))


def refusal(**variables: str) -> str:
    """Return why these variables stop the start."""
    with pytest.raises(ConfigError) as caught:
        chains(**variables)
    assert KEY not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "markets.toml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def own_preset(name: str) -> str:
    return PRESET.replace('name = "simple-vamm"', f'name = "{name}"')


# -- variables --


def test_nothing_is_configured_by_nothing() -> None:
    assert () == chains()
    assert () == chains(START_BLOCK="5", PRESET="uniswap-v3")


def test_one_chain_is_said_with_variables() -> None:
    found = chains(
        RPC_URL=f"{NODE},http://localhost:8545",
        WS_RPC_URL=f"wss://node.example/{KEY}",
        CONTRACT_ADDRESS=f"{POOL},{A}",
        FACTORY_ADDRESS=B,
        PRESET="uniswap-v3",
        START_BLOCK="7",
        CONFIRMATION_BLOCKS="0",
    )
    preset = built_in("uniswap-v3")
    expected = ChainTerms(
        rpc_urls=(NODE, "http://localhost:8545"),
        ws_url=f"wss://node.example/{KEY}",
        start_block=7,
        confirmations=0,
        contracts=(
            ContractTerms(POOL.lower(), preset),
            ContractTerms(A, preset),
            ContractTerms(B, preset, factory=True),
        ),
        name="node.example",
    )
    assert (expected,) == found
    assert KEY not in repr(found)


def test_the_original_s_two_variables_are_enough() -> None:
    (found,) = chains(RPC_URL=NODE, VAMM_FACTORY_ADDRESS=A, EVENT_CONFIRMATION_BLOCKS="3")
    assert (ContractTerms(A, built_in("vamm"), factory=True),) == found.contracts
    assert (None, 3) == (found.start_block, found.confirmations)


def test_a_contract_without_a_node_is_for_events_that_are_pushed() -> None:
    (found,) = chains(CONTRACT_ADDRESS=A)
    assert ((), "events", None) == (found.rpc_urls, found.name, found.chain_id)
    assert (ContractTerms(A, built_in("vamm")),) == found.contracts


def test_a_node_without_a_contract_is_refused() -> None:
    assert refusal(RPC_URL=NODE) == (
        "CONTRACT_ADDRESS or FACTORY_ADDRESS must be given with RPC_URL, neither was: set one, or "
        "unset RPC_URL to see the demo"
    )


def test_announcements_need_a_node_to_read_from() -> None:
    message = refusal(WS_RPC_URL=f"wss://node.example/{KEY}", CONTRACT_ADDRESS=A)
    assert message.startswith("RPC_URL must be given with WS_RPC_URL")


def test_an_unknown_preset_is_named_with_those_there_are() -> None:
    message = refusal(RPC_URL=NODE, CONTRACT_ADDRESS=A, PRESET="vam")
    assert message.startswith("PRESET must be one of aerodrome, ")
    assert message.endswith(", was 'vam'")


def test_a_factory_needs_a_preset_that_knows_factories() -> None:
    message = refusal(RPC_URL=NODE, FACTORY_ADDRESS=A, PRESET="simple-vamm")
    assert message.startswith("FACTORY_ADDRESS must be left out with preset simple-vamm")
    assert "use one of aerodrome, pancake-v3, " in message
    assert "vamm-first" not in message


def test_an_address_is_a_contract_or_a_factory() -> None:
    message = refusal(RPC_URL=NODE, CONTRACT_ADDRESS=f"{A},{B}", FACTORY_ADDRESS=A)
    assert message == (
        f"CONTRACT_ADDRESS and FACTORY_ADDRESS: contract {A} must be given once: remove one"
    )


def test_a_register_of_markets_needs_the_contract_that_trades() -> None:
    """The registry of perp-v2 emits no trade itself."""
    message = refusal(RPC_URL=NODE, FACTORY_ADDRESS=A, PRESET="perp-v2")
    assert f"a contract with preset perp-v2 must be given besides factory {A}" in message
    (found,) = chains(RPC_URL=NODE, FACTORY_ADDRESS=A, CONTRACT_ADDRESS=B, PRESET="perp-v2")
    assert [(B, True, False), (A, False, True)] == [
        (c.address, c.holds_keys, c.makes_markets) for c in found.contracts
    ]


@pytest.mark.parametrize("variable", ["CONTRACT_ADDRESS", "FACTORY_ADDRESS"])
def test_a_contract_may_be_its_own_factory(variable: str) -> None:
    """Whichever the operator calls it."""
    (found,) = chains(**{"RPC_URL": NODE, variable: A, "PRESET": "uniswap-v4"})
    (contract,) = found.contracts
    assert (True, True, False) == (
        *(contract.holds_keys, contract.makes_markets, contract.is_market),
    )


# -- presets of one's own --


def test_presets_of_one_s_own_are_known_by_name(folder: Path) -> None:
    files = f"{write(own_preset('mine'), 'a.toml')},{write(own_preset('other'), 'b.toml')}"
    (found,) = chains(RPC_URL=NODE, CONTRACT_ADDRESS=A, EVENTS_FILE=files, PRESET="other")
    assert "other" == found.contracts[0].preset.name


def test_a_preset_nobody_uses_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The variable PRESET is easily forgotten."""
    file = write(own_preset("mine"), "mine.toml")
    with caplog.at_level(logging.WARNING):
        chains(RPC_URL=NODE, CONTRACT_ADDRESS=A, EVENTS_FILE=file)
    assert "EVENTS_FILE: no contract has preset mine: name it in PRESET" in caplog.text


def test_a_preset_cannot_take_a_name_that_is_taken(folder: Path) -> None:
    """Not silently: a contract would be read in another way than its preset's name says."""
    message = refusal(EVENTS_FILE=write(PRESET, "mine.toml"))
    assert message == (
        "mine.toml: name must be a preset's that is not there yet, was 'simple-vamm', which comes "
        "with the product: choose another"
    )
    files = f"{write(own_preset('mine'), 'a.toml')},{write(own_preset('mine'), 'b.toml')}"
    assert "b.toml: name must be" in refusal(EVENTS_FILE=files)
    assert "another file has" in refusal(EVENTS_FILE=files)


def test_a_mistake_in_a_preset_is_named(folder: Path) -> None:
    file = write(own_preset("mine").replace("0x5cf8", "0x5cf9"), "mine.toml")
    message = refusal(EVENTS_FILE=file)
    assert message.startswith("mine.toml, line ")
    assert "topic0 must be 0x5cf8" in message


# -- the file of markets --

WHOLE = f"""
[[chain]]
name = "ethereum"
rpc_urls = ["{NODE}", "http://localhost:8545"]
ws_url = "wss://node.example/{KEY}"
chain_id = 1
start_block = 12376729
confirmations = 12

[[chain.contract]]
address = "{POOL}"
preset = "uniswap-v3"
price = "after"
invert = true
symbol = "weth/usdc"
exchange = "uniswap"

[[chain.contract]]
address = "{A}"
factory = true

[[chain]]
rpc_urls = ["https://polygon.example"]

[[chain.contract]]
address = "{A}"
preset = "mine"
"""


def test_several_chains_are_said_with_a_file(folder: Path) -> None:
    mine = write(own_preset("mine"), "mine.toml")
    ethereum, polygon = chains(MARKETS_FILE=write(WHOLE), EVENTS_FILE=mine)
    assert ethereum == ChainTerms(
        rpc_urls=(NODE, "http://localhost:8545"),
        ws_url=f"wss://node.example/{KEY}",
        start_block=12_376_729,
        confirmations=12,
        contracts=(
            ContractTerms(
                address=POOL.lower(),
                preset=built_in("uniswap-v3"),
                price="after",
                invert=True,
                symbol="WETH/USDC",
                exchange="UNISWAP",
            ),
            ContractTerms(A, built_in("vamm"), factory=True),
        ),
        name="ethereum",
        chain_id=1,
    )
    (contract,) = polygon.contracts
    assert (A, "mine", False) == (contract.address, contract.preset.name, contract.factory)
    assert ("polygon.example", "", None, None, None) == (
        *(polygon.name, polygon.ws_url, polygon.start_block),
        *(polygon.confirmations, polygon.chain_id),
    )


def test_chains_have_different_names(folder: Path) -> None:
    """Their nodes' hosts, numbered where one host serves several."""
    urls = ["https://a.example/1", "https://a.example/2", "https://b.example:1/3"]
    text = "".join(
        f'[[chain]]\nrpc_urls = ["{url}"]\n[[chain.contract]]\naddress = "{A}"\n' for url in urls
    )
    text += f'[[chain]]\nchain_id = 5\n[[chain.contract]]\naddress = "{A}"\n'
    text += f'[[chain]]\nname = "a.example"\nchain_id = 6\n[[chain.contract]]\naddress = "{A}"\n'
    assert ["a.example 2", "a.example 3", "b.example:1", "chain 5", "a.example"] == [
        chain.name for chain in chains(MARKETS_FILE=write(text))
    ]


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("RPC_URL", NODE, "RPC_URL"),
        ("WS_RPC_URL", f"wss://node.example/{KEY}", "WS_RPC_URL"),
        ("CONTRACT_ADDRESS", A, "CONTRACT_ADDRESS"),
        ("VAMM_FACTORY_ADDRESS", A, "FACTORY_ADDRESS (or VAMM_FACTORY_ADDRESS)"),
        ("START_BLOCK", "0", "START_BLOCK"),
        ("EVENT_CONFIRMATION_BLOCKS", "3", "CONFIRMATION_BLOCKS (or EVENT_CONFIRMATION_BLOCKS)"),
    ],
)
def test_a_file_and_variables_may_not_say_the_same(
    folder: Path, name: str, text: str, shown: str
) -> None:
    message = refusal(**{"MARKETS_FILE": write("[[chain]]"), name: text})
    assert message == (
        f"MARKETS_FILE must be given alone, was given with {shown}: unset these and say the same "
        "in markets.toml, or unset MARKETS_FILE"
    )


CHAIN = f"""[[chain]]
rpc_urls = ["{NODE}"]
"""
CONTRACT = f"""
[[chain.contract]]
address = "{A}"
"""
MISTAKES = [
    ("", "line 1: chain must be given"),
    ("chain = []", "line 1: chain must be a list of at least one [[chain]], was empty"),
    ("chain = 3", "line 1: chain must be a list of [[chain]] tables, was 3"),
    ("[[chain]]\nrpc_urls = [", "line 2: must be TOML: "),
    ("[[chain]]\nname == 3\n", "line 2: must be TOML: "),
    ("[[chains]]", "line 1: chains must be left out, there is no such key"),
    (
        f"[[chain]]\nrpc_url = '{NODE}'\n",
        "line 2: chain 1: rpc_url must be left out, there is no such key",
    ),
    (
        f"[[chain]]\n\nrpc_urls = '{NODE}'\n",
        "line 3: chain 1: rpc_urls must be a list of addresses in quotes, was another (not shown)",
    ),
    (
        f"[[chain]]\nrpc_urls = ['{NODE}', 'ftp://{KEY}']{CONTRACT}",
        (
            "line 2: chain 1: rpc_urls must be a list of different addresses like "
            "https://node.example/key, was another (not shown)"
        ),
    ),
    (
        f"[[chain]]\nname = 'x'{CONTRACT}",
        "line 1: chain 1: rpc_urls must be given to follow the chain, or chain_id to take events",
    ),
    (
        f"[[chain]]\nchain_id = 1\nws_url = 'wss://{KEY}'{CONTRACT}",
        "line 1: chain 1: rpc_urls must be given with ws_url",
    ),
    (CHAIN, "line 1: chain 1: contract must be a list of at least one [[chain.contract]]"),
    (
        f"{CHAIN}ws_url = 'https://{KEY}'{CONTRACT}",
        "line 3: chain 1: ws_url must be an address like wss://node.example/key, was another",
    ),
    (
        f"{CHAIN}start_block = -1{CONTRACT}",
        "line 3: chain 1: start_block must be a whole number from 0 to 17,592,186,044,415, was",
    ),
    (
        f"{CHAIN}start_block = 'latest'{CONTRACT}",
        "line 3: chain 1: start_block must be a whole number, was 'latest'",
    ),
    (f"{CHAIN}confirmations = 100001{CONTRACT}", "line 3: chain 1: confirmations must be a whole"),
    (f"{CHAIN}chain_id = 0{CONTRACT}", "line 3: chain 1: chain_id must be a whole number from 1"),
    (f"{CHAIN}name = '\\n'{CONTRACT}".replace("'\\n'", '"\\n"'), "line 3: chain 1: name must be"),
    (
        f"{CHAIN}[[chain.contract]]\npreset = 'vamm'",
        "line 3: chain 1, contract 1: address must be given",
    ),
    (
        f"{CHAIN}[[chain.contract]]\naddress = 5",
        "line 4: chain 1, contract 1: address must be a text in quotes, was 5",
    ),
    (
        f"{CHAIN}{CONTRACT}[[chain.contract]]\naddress = '0x12'",
        (
            "line 7: chain 1, contract 2: address must be an address of 0x and 40 hexadecimal "
            "digits, was '0x12'"
        ),
    ),
    (
        f"{CHAIN}[[chain.contract]]\naddress = '{POOL.replace('88e6A', '88E6A')}'",
        (
            "line 4: chain 1, contract 1: address must be an address without a typing error: the "
            "checksum in the case of 0x88E6A0c2"
        ),
    ),
    (
        f"{CHAIN}{CONTRACT}{CONTRACT}",
        f"line 1: chain 1: contract {A} must be given once: remove one",
    ),
    (
        f"{CHAIN}{CONTRACT}preset = 'vam'",
        "line 6: chain 1, contract 1: preset must be one of aerodrome, ",
    ),
    (
        f"{CHAIN}{CONTRACT}prise = 'after'",
        "line 6: chain 1, contract 1: prise must be left out, there is no such key",
    ),
    (
        f"{CHAIN}{CONTRACT}price = 'mark'",
        "line 6: chain 1, contract 1: price must be one of execution, after, was 'mark'",
    ),
    (
        f"{CHAIN}{CONTRACT}invert = 'yes'",
        "line 6: chain 1, contract 1: invert must be true or false, was 'yes'",
    ),
    (
        f"{CHAIN}{CONTRACT}invert = true",
        (
            "line 6: chain 1, contract 1: invert must be left out with preset vamm: PositionOpened "
            "does not tell both volumes"
        ),
    ),
    (
        f"{CHAIN}{CONTRACT}preset = 'perp-v1'\nsymbol = 'ETH'",
        "line 7: chain 1, contract 1: symbol must be left out, was 'ETH': the contract has many",
    ),
    (
        f"{CHAIN}{CONTRACT}factory = true\nsymbol = 'ETH'",
        "line 7: chain 1, contract 1: symbol must be left out",
    ),
    (
        f"{CHAIN}{CONTRACT}symbol = 'A/B/C'",
        (
            "line 6: chain 1, contract 1: symbol must be up to 32 letters, digits and . _ - with "
            "at most one /, like WETH/USDC, was 'A/B/C'"
        ),
    ),
    (
        f"{CHAIN}{CONTRACT}exchange = 'demo'",
        (
            "line 6: chain 1, contract 1: exchange must be up to 32 letters, digits and . _ -, and "
            "not DEMO, was 'demo'"
        ),
    ),
    (f"{CHAIN}{CONTRACT}exchange = 'a:b'", "line 6: chain 1, contract 1: exchange must be up to"),
    (
        f"{CHAIN}{CONTRACT}factory = true\npreset = 'vamm-first'",
        "line 6: chain 1, contract 1: factory must be left out with preset vamm-first",
    ),
    (
        f"{CHAIN}{CONTRACT}factory = true\npreset = 'perp-v2'",
        "line 1: chain 1: a contract with preset perp-v2 must be given besides factory",
    ),
    (
        f"{CHAIN}{CONTRACT}{CHAIN}{CONTRACT}",
        (
            "line 7: chain 2: rpc_urls must hold each node once, chain 1 has the same: put the "
            "contracts of one chain below one [[chain]]"
        ),
    ),
    (
        f"{CHAIN}chain_id = 5{CONTRACT}[[chain]]\nchain_id = 5{CONTRACT}",
        "line 7: chain 2: chain_id must be another, chain 1 has the same",
    ),
    (
        f"{CHAIN}name = 'a'{CONTRACT}[[chain]]\nname = 'a'\nchain_id = 5{CONTRACT}",
        "line 7: chain 2: name must be another, chain 1 has the same",
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_mistake_in_the_file_is_named_with_its_place(
    folder: Path, text: str, expected: str
) -> None:
    message = refusal(MARKETS_FILE=write(text))
    assert message.startswith(f"markets.toml, {expected}")


def test_a_mistake_in_tables_written_inline_is_placed_as_well_as_can_be(folder: Path) -> None:
    text = f'\nchain = [{{ chain_id = 1, contract = [{{ address = "{A[:-1]}" }}] }}]\n'
    message = refusal(MARKETS_FILE=write(text))
    assert message.startswith("markets.toml, line 1: chain 1, contract 1: address must be")


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    Path("markets.toml").write_bytes(b"\xff\xfe")
    assert refusal(MARKETS_FILE="markets.toml") == (
        "MARKETS_FILE must be a readable text, was 'markets.toml': not UTF-8 text"
    )


# -- confirmations --


@pytest.mark.parametrize(
    ("chain_id", "expected"),
    [(1, 65), (137, 200), (42_161, 240), (10, 30), (8_453, 30), (31_337, 8), (1_337, 8), (99, 65)],
)
def test_confirmations_follow_the_chain(chain_id: int, expected: int) -> None:
    assert expected == default_confirmations(chain_id)
