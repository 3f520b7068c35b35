"""Names for endpoints, and what a URL must not tell."""

import pytest

from appliance.errors import ConfigError
from appliance.rpc.url import hide, keys, local, names


def test_names_are_hosts_and_ports() -> None:
    urls = [
        "https://user:pass@Node.example.com/v3/0123456789abcdef",
        "http://127.0.0.1:8545",
        "https://node.example.com/other-key",
        "http://[::1]:8545/x",
        "https://node.example.com:444/?k=v",
        "https://node.example.com/third",
    ]
    expected = [
        "node.example.com",
        "127.0.0.1:8545",
        "node.example.com#2",
        "[::1]:8545",
        "node.example.com:444",
        "node.example.com#3",
    ]
    assert expected == names(urls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secretkey",
        "ws://a/secretkey",
        "http://",
        "http://a:b/secretkey",
        "http://[::1/secretkey",
    ],
)
def test_urls_that_are_none_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigError, match="endpoint URL 2 must begin with http") as caught:
        names(["http://a", url])
    assert "secretkey" not in str(caught.value)


def test_websockets_have_their_own_schemes() -> None:
    assert names(["wss://a/x"], ("ws", "wss")) == ["a"]
    with pytest.raises(ConfigError, match="ws:// or wss://"):
        names(["https://a/x"], ("ws", "wss"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8545", True),
        ("http://localhost:8545", True),
        ("http://anvil:8545", True),
        ("http://192.168.1.7", True),
        ("http://10.0.0.1", True),
        ("http://[::1]:8545", True),
        ("http://host.docker.internal:8545", True),
        ("https://rpc.example.com", False),
        ("https://8.8.8.8", False),
    ],
)
def test_local_nodes_are_on_this_machine_or_network(url: str, expected: bool) -> None:
    assert expected is local(url)


def test_keys_are_hidden_wherever_they_stood() -> None:
    url = "https://user:pw%40x@host.example/v2/0123456789abcdef?apikey=QWERTYUIOP#frag-ment1"
    said = "0123456789ABCDEF qwertyuiop user pw@x pw%40x frag-ment1 host.example v2"
    assert hide(said, keys(url)) == "*** *** *** *** *** *** host.example v2"
    assert hide("nothing", keys("http://localhost:8545")) == "nothing"
