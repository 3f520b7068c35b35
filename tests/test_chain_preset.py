"""Presets: what is in the files is true, and what is wrong in a file is named."""

from pathlib import Path
from typing import get_args

import pytest
from eth_hash.auto import keccak

from appliance.chain import preset, signature
from appliance.chain.form import EventForm, Kind, PresetForm
from appliance.errors import ConfigError
from tests.chain_files import SWAP

# As EVENTS.md has them: a second source beside keccak.
KNOWN = {
    "vamm": {
        "PositionOpened": "0x345a1e15bff227bfd5051975d95c864c45cf9fe79def6f9ce1c1525b0e831226",
        "PositionClosed": "0x035509dd26c2d331b2eeaf713e533967ac9e8a0c5e37372abc7dedd026e81675",
        "PositionIncreased": "0x2337e687da16f7f70de054ec6c6f96c9faaeac16ca3fe6b873cf017380f578a8",
        "PositionLiquidated": "0xeb125fc2316e55999aaacc483aa145655b8032d8bce094f8a17174ed9994d9d7",
        "FundingUpdated": "0xd0794ac40e87e336e6e652e1eef2cdb3793d91f30dcc09a45d18db669a686b94",
        "BondingCurveUpdated": "0x1551b5180ce27b1b0d183046bbf7f4ed792368fa907dcaa0e08d22c5e8b14512",
        "MarketCreated": "0x47ab7633006b3b6d4ecfa77b1c64dac99d985e2ec70de8fe50aeeded29c95742",
        "MarketCreated 2": "0xc225f66bd854bba265bee08fc100e91c698aa86a9e70b0d9280d44f91066a93f",
        "MarketStatusChanged": "0xf74802a5f03ef3b60653fc5ef30996c42340c6f63ad2a625f0f7d4f996b28f35",
    },
    "simple-vamm": {
        "PositionOpened": "0x5cf8fa4a8e333990018876ad3a82065e68b3859d46c3198b692b77fc3043808b",
        "PositionClosed": "0x398340331999d3ec20eba0ca6ed7fff4090f1906a8f6dfa8d96b3c4708155005",
        "PriceUpdated": "0x31423be1df71d4ecba11d1051d8033416ed316d601c79812e7cd8103e35b88a0",
    },
    "vamm-first": {
        "PositionOpened": "0x0e8f4b81343afa64bc4ddcfbf2d80e883e0ddfc6663c400ca09da13d1d28d588",
    },
    "order-book": {
        "TradeExecutionCompleted": (
            "0xb242177834d07ac02a9f62e34602e5da9d353cbe7df4378423ba8765a4793d80"
        ),
    },
    "uniswap-v2": {
        "Swap": "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822",
        "Sync": "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1",
        "PairCreated": "0x0d3648bd0f6ba80134a33ba9275ac585d9d315f0ad8355cddefde31afa28d0e9",
        # Solidly's, which EVENTS.md counts to this preset without writing them down.
        "Sync 2": "0xcf2aa50876cdfbb541206f89af0ee78d44a2abf8d328e37fa4917f982149848a",
        "PairCreated 2": "0xc4805696c66d7cf352fc1d6bb633ad5ee82f6cb577c453024b6e0eb8306c6fc9",
    },
    "uniswap-v3": {
        "Swap": "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
        "PoolCreated": "0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118",
    },
    "pancake-v3": {
        "Swap": "0x19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83",
        "PoolCreated": "0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118",
    },
    "uniswap-v4": {
        "Swap": "0x40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f",
        "Initialize": "0xdd466e674ea557f56295e2d0218a125ea4b4f0f6f3307b95f85e6110838d6438",
    },
    "aerodrome": {
        "Swap": "0xb3e2773606abfd36b5bd91394b3a54d1398336c65005baf7bf7a05efeffaf75b",
        "Sync": "0xcf2aa50876cdfbb541206f89af0ee78d44a2abf8d328e37fa4917f982149848a",
        "PoolCreated": "0x2128d88d14c80cb081c1252a5acff7a264671bf199ce226b53788fb26065005e",
    },
    "perp-v1": {
        "PositionChanged": "0x4c7b764f428c13bbea8cc8da90ebe6eef4dafeb27a4e3d9041d64208c47ca7c2",
    },
    "perp-v2": {
        "PositionChanged": "0x968bc4f738eae0486dc6736c4b427dbafa4acfdf6eaf223337791ddeb3a56247",
        "PoolAdded": "0x8b17db32f8ec22477a8f9475d5b92052ef2ce8c6c73ad79be1eb297a8fdd2ff1",
    },
    "gmx-v1": {
        "IncreasePosition": "0x2fe68525253654c21998f35787a8d0f361905ef647c854092430ab65f2f15022",
        "DecreasePosition": "0x93d75d64d1f84fc6f430a64fc578bdd4c1e090e90ea2d51773e626d19de56d30",
    },
    "synthetix-perps-v2": {
        "PositionModified": "0xc0d933baa356386a245ade48f9a9c59db4612af2b5b9c17de5b451c628760f43",
    },
    "synthetix-perps-v3": {
        "OrderSettled": "0x460080a757ec90719fe90ab2384c0196cdeed071a9fd7ce1ada43481d96b7db5",
        "MarketCreated": "0x032553f94ac1323933f22650ec5b8e232babf1c47efca69383b749463116cc49",
    },
}


@pytest.mark.parametrize("name", preset.names())
def test_every_topic0_is_the_hash_of_its_signature(name: str) -> None:
    read = preset.built_in(name)
    assert read.name == name
    for topic0, event in (read.events | read.creations).items():
        assert topic0 == "0x" + keccak(event.event.canonical.encode()).hex() == event.form.topic0


def test_the_presets_hold_the_events_we_know() -> None:
    for name, known in KNOWN.items():
        read = preset.built_in(name)
        assert {*read.topics, *read.creation_topics} == {*known.values()}
    assert preset.names() == sorted(KNOWN)


def test_markets_topics_and_factories_topics_are_apart() -> None:
    read, known = preset.built_in("vamm"), KNOWN["vamm"]
    assert read.creation_topics == tuple(known.values())[-3:]
    assert {e.form.kind for e in read.creations.values()} == {"market", "status"}
    assert not {e.form.kind for e in read.events.values()} & {"market", "status"}


def test_price_rules_are_those_of_the_protocols() -> None:
    """After for those whose users watch the mark, execution for all others."""
    after = [n for n in preset.names() if preset.built_in(n).price_rule == "after"]
    assert after == ["simple-vamm", "vamm"]


def test_properties_say_what_a_preset_needs() -> None:
    def those(asked: str) -> list[str]:
        return [n for n in preset.names() if getattr(preset.built_in(n), asked)]

    pairs = ["aerodrome", "pancake-v3", "uniswap-v2", "uniswap-v3"]
    keyed = ["gmx-v1", "perp-v1", "perp-v2", "synthetix-perps-v3", "uniswap-v4"]
    assert those("keyed") == keyed
    assert those("lists_itself") == ["synthetix-perps-v3", "uniswap-v4"]
    assert those("scaled_by_tokens") == [*pairs, "uniswap-v4"]
    assert those("remembers_sides") == ["simple-vamm", "vamm"]
    assert those("remembers_marks") == ["vamm"]
    hints = {n: preset.built_in(n).tokens for n in those("tokens")}
    assert hints == dict.fromkeys(pairs, "pair") | dict.fromkeys(("gmx-v1", "perp-v2"), "key")
    assert those("symbol_call") == ["perp-v1", "synthetix-perps-v2"]
    assert not {*those("quote")} & {*pairs, "uniswap-v4"}
    assert preset.built_in("vamm").side_kinds == ("open",)
    assert list(preset.built_in("vamm").mark_kinds) == ["liquidation", "mark"]


def test_words_are_counted_over_topics_then_data() -> None:
    event = signature.parse("E(uint a, address indexed b, int24 c, bytes32 indexed d)")
    assert {a.name: a.word for a in event.arguments} == {"b": 0, "d": 1, "a": 2, "c": 3}
    assert event.canonical == "E(uint256,address,int24,bytes32)"
    assert (event.topics, event.words, event.dynamic) == (2, 2, False)


def test_arrays_and_tuples_fill_as_many_words_as_they_hold() -> None:
    text = """event E(uint[2] a, (address who, (int8, bool)[2] pairs) b, string c, uint[] indexed d,
        (uint size, bytes note)[3] f, tuple(uint x) g, bool h);"""
    event = signature.parse(text)
    assert event.canonical == (
        "E(uint256[2],(address,(int8,bool)[2]),string,uint256[],(uint256,bytes)[3],(uint256),bool)"
    )
    words = {a.name: a.word for a in event.arguments}
    assert words == {"d": 0, "a": 1, "b": 3, "c": 8, "f": 9, "g": 10, "h": 11}
    assert (event.topics, event.words, event.dynamic) == (1, 11, True)
    assert [a.name for a in event.arguments if a.hashed] == ["d"]
    assert signature.parse("E(uint[2] a, (int,bool) b)").dynamic is False


def test_an_event_may_have_no_arguments() -> None:
    assert signature.parse("Paused()").canonical == "Paused()"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Swap", "Name(type [indexed] name"),
        ("Swap(uint256)", "argument must be"),
        ("Swap(uint256 indexed)", "argument must be"),
        ("Swap(uint256 a,, uint256 b)", "argument must be"),
        ("Swap(uint256[0] a)", "type must be"),
        ("Swap((uint256,fixed) a)", "type must be"),
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


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="uniswap-v4, vamm, vamm-first, was 'uniswap'"):
        preset.built_in("uniswap")


def test_a_users_file_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(ConfigError, match=r"mine\.toml: the events file must be readable"):
        preset.load(path)
    path.write_text(SWAP)
    assert preset.load(path).name == "x"


DOCUMENT = Path(__file__).resolve().parents[1] / "docs/presets.md"


def test_the_document_names_every_preset_and_every_key() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    keys = set(EventForm.__struct_fields__ + PresetForm.__struct_fields__) - {"event"}
    for word in (*preset.names(), *get_args(Kind), *keys):
        assert f"`{word}`" in text or f"{word} = " in text, word


def test_the_documents_example_is_right() -> None:
    example = DOCUMENT.read_text(encoding="utf-8").partition("```toml")[2].partition("```")[0]
    assert preset.from_text(example, "mine.toml").name == "mine"
