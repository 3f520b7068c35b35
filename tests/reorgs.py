"""What happens to a chain while it is followed: a miner that never rests, and reorgs under it."""

import random
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tests.anvil import Anvil, Request

Work = Callable[[int], Sequence[Request]]
"""What the n-th block holds."""


class Miner:
    """Mines block after block in a thread, from `with` until its end; its failure is raised there.

    `pause_s` is the time between two blocks.
    """

    def __init__(self, node: Anvil, work: Work, pause_s: float = 0.0) -> None:
        """Take what to mine; nothing is mined yet."""
        self.mined = 0
        self._node = node
        self._work = work
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop after the block at hand."""
        self._stopped.set()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                with self._node.lock:
                    for request in self._work(self.mined):
                        self._node.send(request)
                    self._node.mine()
                self.mined += 1
                self._stopped.wait(self._pause_s)
        except Exception as failure:  # noqa: BLE001 - raised where the test waits
            self._failure = failure


def replace_blocks(node: Anvil, depth: int, work: Work, seed: int) -> None:
    """Replace the newest `depth` blocks by others, in one of three ways that the seed chooses.

    The head stays and the new blocks are full, or half of them empty; or the head goes back first
    and the new blocks come one by one, so that for a moment the chain is shorter than it was.
    """
    choice = random.Random(seed)
    way = choice.randrange(3)
    if way == 2:
        node.rollback(depth)
        for number in range(choice.randint(1, depth)):
            node.mine_each(work(seed + number))
        return
    blocks = [at for at in range(depth) if way == 0 or choice.random() < 0.5]
    node.reorganize(depth, [(request, at) for at in blocks for request in work(seed + at)])


def storm(
    node: Anvil, reorgs: int, work: Work, *, deepest: int, floor: int, seed: int, pause_s: float
) -> list[int]:
    """Reorganize again and again, down to `floor` at most; return the depths.

    Most reorgs are of a few blocks, every eighth of up to `deepest`.
    """
    choice = random.Random(seed)
    depths = []
    resting = threading.Event()
    for number in range(reorgs):
        wanted = choice.randint(1, deepest if number % 8 == 7 else min(4, deepest))
        with node.lock:
            depth = min(wanted, node.head - floor)
            if depth > 0:
                replace_blocks(node, depth, work, seed + 1_000 * number)
                depths.append(depth)
        resting.wait(pause_s)
    return depths
