"""What a fake node answers: JSON-RPC calls over a FakeChain, with faults to switch on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.fake_chain import FakeBlock, FakeChain, HasLog

_ARCHIVE_DEPTH = 128


@dataclass
class Faults:
    """What is wrong with a node; everything is well unless set."""

    status: int = 0
    """Answer with this HTTP status: 429, 503, 413 …"""
    times: int | None = None
    """How many more answers `status`, `body`, `truncated` or `error` spoil; None: all."""
    retry_after: str | None = None
    """The Retry-After header of answers with `status`."""
    body: str | None = None
    """Answer with this text and status 200 (or `status`), HTML unless it begins with { or [."""
    truncated: bool = False
    """Cut the JSON in half; the HTTP answer is whole."""
    cut_off: bool = False
    """Close the connection in the middle of the answer."""
    error: tuple[int, str] | None = None
    """Answer every call with this JSON-RPC error."""
    hang: bool = False
    """Never answer."""
    latency_s: float = 0.0
    requests_per_s: float | None = None
    """Answer 429 above this rate; calls of a batch count one by one."""
    max_range: int | None = None
    range_error: tuple[int, str] = (-32000, "block range is too wide")
    """May name {max}, {from_hex}, {to_hex}, {first} and {last} of a range that would work."""
    max_results: int | None = None
    results_error: tuple[int, str] = (-32005, "query returned more than {max} results")
    """May name the same; the range proposed is the first half."""
    blank_share: float = 0.0
    """Share of eth_getLogs answers that are [] though there are logs; by block hash too."""
    behind: int = 0
    """How many of the newest blocks this node has not got."""
    chain_id: int | None = None
    batches: bool = True
    max_batch: int | None = None
    methods: Sequence[str] | None = None
    """Method names this node knows; None: all."""
    block_time: bool = True
    """Whether logs carry blockTimestamp."""
    zero_bloom: bool = False
    no_bloom: bool = False
    archive: bool = True
    """Whether state older than 128 blocks is there."""
    wrong_id: bool = False
    no_result: bool = False
    null_logs: bool = False
    unfiltered: bool = False
    """Ignore the range, the addresses and the topics of eth_getLogs: answer with all logs."""
    wrong_header: bool = False
    """Answer with the parent of the block asked for."""

    def spoil(self) -> bool:
        """Return whether this answer is spoilt, and count it."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class RpcFault(Exception):
    """A JSON-RPC error to answer with."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class Answers:
    """Answers JSON-RPC calls from `chain`, as `faults` let it."""

    def __init__(self, chain: FakeChain, faults: Faults) -> None:
        self.chain = chain
        self.faults = faults
        self._random = random.Random(7)

    def batch(self, calls: list[dict[str, Any]]) -> object:
        faults = self.faults
        if not faults.batches:
            return fault(None, -32600, "batch requests are not supported")
        if faults.max_batch is not None and len(calls) > faults.max_batch:
            return fault(None, -32600, f"batch of more than {faults.max_batch} requests")
        answers = [self.single(call) for call in calls]
        answers.reverse()  # the order of a batch's answers is the node's to choose
        return answers

    def single(self, call: dict[str, Any]) -> dict[str, Any]:
        number = call["id"] + 1_000_000 if self.faults.wrong_id else call["id"]
        if self.faults.error is not None and self.faults.spoil():
            return fault(number, *self.faults.error)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
        try:
            result = self._result(call["method"], call["params"])
        except RpcFault as error:
            return fault(number, error.code, str(error), error.data)
        return answer if self.faults.no_result else answer | {"result": result}

    def _result(self, method: str, params: list[Any]) -> object:
        known = self.faults.methods
        handler = getattr(self, f"_{method}", None)
        if handler is None or (known is not None and method not in known):
            raise RpcFault(-32601, f"the method {method} does not exist/is not available")
        return handler(*params)

    def _web3_clientVersion(self) -> str:  # noqa: N802 - the name of a JSON-RPC method
        return "fake/1.0"

    def _eth_chainId(self) -> str:  # noqa: N802 - the same
        return hex(self.faults.chain_id or self.chain.chain_id)

    def _eth_blockNumber(self) -> str:  # noqa: N802 - the same
        return hex(self._blocks()[-1].number)

    def _eth_getBlockByNumber(self, at: str, _full: bool) -> object:  # noqa: N802 - the same
        block = self._at(at)
        if block and self.faults.wrong_header and at.startswith("0x"):
            block = self.chain.blocks[max(0, block.number - 1)]
        return self.header(block) if block else None

    def _eth_getBlockByHash(self, block_hash: str, _full: bool) -> object:  # noqa: N802 - the same
        block = self._with_hash(block_hash)
        return self.header(block) if block else None

    def _eth_getCode(self, address: str, at: str) -> str:  # noqa: N802 - the same
        number = self._state_at(at)
        code, since = self.chain.codes.get(address.lower(), ("0x", 0))
        return code if number >= since else "0x"

    def _eth_call(self, call: dict[str, str], at: str) -> str:
        self._state_at(at)
        result = self.chain.answers.get((call["to"].lower(), call["data"].lower()))
        if result is None:
            raise RpcFault(3, "execution reverted", "0x")
        return result

    def _eth_getLogs(self, asked: dict[str, Any]) -> object:  # noqa: N802 - the same
        if self.faults.null_logs:
            return None
        blocks = self._asked_blocks(asked)
        found = [
            self._log(block, index)
            for block in blocks
            for index, log in enumerate(block.logs)
            if self.faults.unfiltered or _matches(log, asked)
        ]
        limit = self.faults.max_results
        if limit is not None and len(found) > limit:
            raise _too_much(self.faults.results_error, limit, blocks[0].number, len(blocks) // 2)
        if self.faults.blank_share and self._random.random() < self.faults.blank_share:
            return []
        return found

    def _asked_blocks(self, asked: dict[str, Any]) -> list[FakeBlock]:
        if (block_hash := asked.get("blockHash")) is not None:
            block = self._with_hash(block_hash)
            if block is None:
                raise RpcFault(-32000, "unknown block")
            return [block]
        first, last = int(asked["fromBlock"], 16), int(asked["toBlock"], 16)
        limit = self.faults.max_range
        if limit is not None and last - first + 1 > limit:
            raise _too_much(self.faults.range_error, limit, first, limit)
        blocks = self._blocks()
        return blocks if self.faults.unfiltered else blocks[first : last + 1]

    # -- the chain as this node sees it --

    def _blocks(self) -> list[FakeBlock]:
        blocks = self.chain.blocks
        return blocks[: max(1, len(blocks) - self.faults.behind)]

    def _at(self, at: str) -> FakeBlock | None:
        blocks = self._blocks()
        if at in {"latest", "pending"}:
            return blocks[-1]
        if at in {"finalized", "safe"}:
            return blocks[min(self.chain.finalized.number, len(blocks) - 1)]
        number = 0 if at == "earliest" else int(at, 16)
        return blocks[number] if number < len(blocks) else None

    def _with_hash(self, block_hash: str) -> FakeBlock | None:
        block = self.chain.block(block_hash)
        return block if block and block.number < len(self._blocks()) else None

    def _state_at(self, at: str) -> int:
        block = self._at(at)
        if block is None:
            raise RpcFault(-32000, "header not found")
        if not self.faults.archive and self.chain.head.number - block.number > _ARCHIVE_DEPTH:
            raise RpcFault(-32000, f"missing trie node {'0' * 64} (path ) state is not available")
        return block.number

    def header(self, block: FakeBlock) -> dict[str, Any]:
        header = {
            "number": hex(block.number),
            "hash": block.hash,
            "parentHash": block.parent_hash,
            "timestamp": hex(block.time),
            "miner": "0x" + "0" * 40,
            "transactions": [block.transaction_hash(i) for i in range(len(block.logs))],
        }
        if self.faults.no_bloom:
            return header
        bloom = bytes(256) if self.faults.zero_bloom else block.bloom
        return header | {"logsBloom": "0x" + bloom.hex()}

    def _log(self, block: FakeBlock, index: int) -> dict[str, Any]:
        log = block.logs[index]
        found = {
            "address": log.address,
            "topics": list(log.topics),
            "data": log.data,
            "blockNumber": hex(block.number),
            "blockHash": block.hash,
            "transactionHash": block.transaction_hash(index),
            "transactionIndex": hex(index),
            "logIndex": hex(index),
            "removed": False,
        }
        return found | {"blockTimestamp": hex(block.time)} if self.faults.block_time else found


def fault(number: object, code: int, message: str, data: object = None) -> dict[str, Any]:
    error = {"code": code, "message": message}
    more = {} if data is None else {"data": data}
    return {"jsonrpc": "2.0", "id": number, "error": error | more}


def _too_much(error: tuple[int, str], limit: int, first: int, width: int) -> RpcFault:
    code, wording = error
    last = first + max(1, width) - 1
    return RpcFault(
        code,
        wording.format(max=limit, first=first, last=last, from_hex=hex(first), to_hex=hex(last)),
    )


def _matches(log: HasLog, asked: dict[str, Any]) -> bool:
    addresses = asked.get("address") or []
    addresses = [addresses] if isinstance(addresses, str) else addresses
    if addresses and log.address.lower() not in {address.lower() for address in addresses}:
        return False
    wanted = asked.get("topics") or []
    if len(wanted) > len(log.topics):
        return False
    return all(
        not want or topic in ([want] if isinstance(want, str) else want)
        for want, topic in zip(wanted, log.topics, strict=False)
    )
