"""A real node for tests: anvil from npm on a free port, and our own contracts on it.

Blocks are mined only when asked for, 12 seconds apart from GENESIS_TIME on, so a chain is the
same in every run. tests/reorgs.py mines and reorganizes beside a test.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import urllib3
from eth_abi.abi import decode, encode

from tests.processes import free_port

ROOT: Final = Path(__file__).resolve().parents[1]
BINARY: Final = ROOT / "tests/js/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
CONTRACTS: Final = ROOT / "tests" / "contracts"
CHAIN_ID: Final = 31_337
GENESIS_TIME: Final = 1_700_000_000
"""2023-11-14 22:13:20 UTC."""
BLOCK_S: Final = 12
ACCOUNTS: Final = (
    "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
    "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
    "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
)
"""The first of the accounts that every anvil signs for."""
_READY_WITHIN_S: Final = 20.0
_STATES: Final = 5_000
_BLOCK_GAS: Final = 10**12
_GAS: Final = hex(10**9)
"""Given with every transaction: an estimate would cost as much as the transaction."""

Request = dict[str, str]
Call = tuple[str, Sequence[Any]]


def missing_reason() -> str | None:
    """Return why there is no node to test with, None when there is one."""
    if os.access(BINARY, os.X_OK):
        return None
    return "no anvil; on x86-64 Linux `make lint` installs it from npm"


class RpcFailure(Exception):
    """The node answered with an error."""


@cache
def compiled(name: str) -> dict[str, Any]:
    """Return a contract of tests/contracts: abi, selectors, bytecode."""
    return dict(json.loads((CONTRACTS / f"{name}.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Contract:
    """A contract of ours at an address, in lower case."""

    node: "Anvil"
    name: str
    address: str

    def data(self, function: str, *arguments: Any) -> str:
        """Return the call's data; of functions of one name the number of arguments decides."""
        selectors: dict[str, str] = compiled(self.name)["selectors"]
        for signature, selector in selectors.items():
            types = _types(signature)
            if signature.startswith(f"{function}(") and len(types) == len(arguments):
                return f"0x{selector}{encode(types, arguments).hex()}"
        raise LookupError(f"{self.name} has no {function} of {len(arguments)} arguments")

    def request(self, function: str, *arguments: Any) -> Request:
        """Return the transaction that calls the function, for `Anvil.send` and `reorganize`."""
        return self.node.request(self.address, self.data(function, *arguments))

    def send(self, function: str, *arguments: Any) -> str:
        """Queue a call for the next block; return the transaction's hash."""
        return self.node.send(self.request(function, *arguments))

    def transact(self, function: str, *arguments: Any) -> list[dict[str, Any]]:
        """Call in a block of its own; return its logs."""
        return self.node.transact(self.request(function, *arguments))

    def read(self, function: str, *arguments: Any, returns: Sequence[str]) -> tuple[Any, ...]:
        """Return what a view function answers."""
        asked = {"to": self.address, "data": self.data(function, *arguments)}
        answer = self.node.call("eth_call", asked, "latest")
        return tuple(decode(returns, bytes.fromhex(answer[2:])))


def _types(signature: str) -> list[str]:
    inside = signature[signature.index("(") + 1 : -1]
    return inside.split(",") if inside else []


@dataclass
class Anvil:
    """A node on a port of this machine; any thread may talk to it."""

    port: int
    pid: int
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while something is queued and mined: a reorg in between would mix up the nonces."""
    _http: urllib3.HTTPConnectionPool = field(init=False)

    def __post_init__(self) -> None:
        """Keep a connection for each of a few threads."""
        self._http = urllib3.HTTPConnectionPool(
            "127.0.0.1", self.port, maxsize=8, timeout=120, retries=False
        )

    @property
    def url(self) -> str:
        """Return where the node answers, over HTTP; its WebSocket is at ws:// of the same."""
        return f"http://127.0.0.1:{self.port}"

    # -- JSON-RPC --

    def call(self, method: str, *params: Any) -> Any:
        """Return the node's answer.

        Raises:
            RpcFailure: the answer is an error.
        """
        answer = json.loads(self.post(_body(0, method, params)))
        if "error" in answer:
            raise RpcFailure(f"{method}: {answer['error']}")
        return answer["result"]

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Return the answers to several calls, asked at once; raises as `call`."""
        bodies = ",".join(_body(number, *each) for number, each in enumerate(calls))
        answers = json.loads(self.post(f"[{bodies}]"))
        wrong = [answer["error"] for answer in answers if "error" in answer]
        if wrong:
            raise RpcFailure(f"{len(wrong)} of {len(calls)} calls: {wrong[0]}")
        return [a["result"] for a in sorted(answers, key=lambda answer: int(answer["id"]))]

    def post(self, body: str) -> bytes:
        """Return the bytes of one HTTP answer."""
        headers = {"Content-Type": "application/json"}
        return self._http.request("POST", "/", body=body, headers=headers).data

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- the chain as it stands --

    @property
    def head(self) -> int:
        """Return the newest block's number."""
        return int(self.call("eth_blockNumber"), 16)

    def block(self, at: int | str = "latest") -> dict[str, Any]:
        """Return a block with the hashes of its transactions."""
        return dict(
            self.call("eth_getBlockByNumber", at if isinstance(at, str) else hex(at), False)
        )

    # -- transactions --

    def request(self, to: str | None, data: str, sender: int = 0) -> Request:
        """Return a transaction of one of the accounts; `to` None deploys."""
        found = {"from": ACCOUNTS[sender], "data": data, "gas": _GAS}
        return found if to is None else found | {"to": to}

    def send(self, request: Request) -> str:
        """Queue a transaction for the next block; return its hash."""
        return str(self.call("eth_sendTransaction", request))

    def transact(self, request: Request) -> list[dict[str, Any]]:
        """Put a transaction in a block of its own; return its logs.

        Raises:
            RpcFailure: it was reverted.
        """
        return list(self._mined(request)["logs"])

    def _mined(self, request: Request) -> dict[str, Any]:
        with self.lock:
            transaction = self.send(request)
            self.mine()
            return self.receipt(transaction)

    def receipt(self, transaction: str) -> dict[str, Any]:
        """Return the receipt of a mined transaction that was not reverted."""
        receipt = self.call("eth_getTransactionReceipt", transaction)
        if receipt is None or receipt["status"] != "0x1":
            raise RpcFailure(f"transaction failed: {receipt}")
        return dict(receipt)

    def deploy(self, name: str, *arguments: Any, sender: int = 0) -> Contract:
        """Put a contract of tests/contracts on the chain, in a block of its own."""
        made = compiled(name)
        types = [i["type"] for e in made["abi"] if e["type"] == "constructor" for i in e["inputs"]]
        data = made["bytecode"] + encode(types, arguments).hex()
        address: str = self._mined(self.request(None, data, sender))["contractAddress"]
        return Contract(self, name, address.lower())

    # -- blocks --

    def mine(self, blocks: int = 1, at: int | None = None) -> int:
        """Mine what is queued, then empty blocks; return the newest number.

        `at` is the first block's time in unix seconds; without it blocks are BLOCK_S apart.
        """
        if at is not None:
            self.call("evm_setNextBlockTimestamp", at)
        if blocks == 1:
            self.call("evm_mine")
        else:
            self.call("anvil_mine", hex(blocks))
        return self.head

    def mine_each(self, requests: Iterable[Request]) -> None:
        """Give each transaction a block of its own."""
        # Not in batches: the node answers the calls of a batch in any order.
        for request in requests:
            with self.lock:
                self.send(request)
                self.call("evm_mine")

    def snapshot(self) -> str:
        """Remember the chain as it stands; return the id that `revert` takes, once."""
        return str(self.call("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Return to a remembered chain; everything since is gone."""
        if self.call("evm_revert", snapshot) is not True:
            raise RpcFailure(f"snapshot {snapshot} is unknown")

    def rollback(self, depth: int) -> None:
        """Take the newest blocks away and mine nothing: the head goes back."""
        with self.lock:
            self.call("anvil_rollback", depth)

    def reorganize(self, depth: int, requests: Sequence[tuple[Request, int]] = ()) -> None:
        """Replace the newest `depth` blocks by as many others, empty but for `requests`.

        Each request comes with the number of its block, 0 being the first replaced.
        """
        with self.lock:
            self.call("anvil_reorg", depth, [[request, at] for request, at in requests])


def _body(number: int, method: str, params: Sequence[Any]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)})


@contextmanager
def start(genesis_time: int | None = GENESIS_TIME, *options: str) -> Iterator[Anvil]:
    """Run a node until the block ends.

    With `genesis_time` None blocks have the time of this machine's clock. `options` are passed
    to anvil; a later one wins.
    """
    port = free_port()
    command = [str(BINARY), "--port", str(port), "--silent", "--no-mining", "--order", "fifo"]
    command += ["--gas-limit", str(_BLOCK_GAS), "--hardfork", "prague"]
    # States stay in memory: of those on disk a reorg of a long chain finds no contract any more.
    command += ["--prune-history", str(_STATES)]
    if genesis_time is not None:
        command += ["--timestamp", str(genesis_time)]
    # States of old blocks go to files, of which anvil would leave hundreds of megabytes behind.
    with TemporaryDirectory(prefix="anvil-") as states:
        command += ["--cache-path", states, *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        node = Anvil(port, process.pid)
        try:
            _wait(node, process)
            if genesis_time is not None:
                node.call("anvil_setBlockTimestampInterval", BLOCK_S)
            yield node
        finally:
            node.close()
            process.terminate()
            process.wait()


def _wait(node: Anvil, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            node.call("eth_chainId")
        except urllib3.exceptions.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"anvil did not start; its exit status is {process.poll()}")
