"""`POST /api/admin/demo/reorg`: scope, bounds, and what it says without a demo."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web_server import ADMIN_TOKEN, KEY, Web, serving

PATH = "/api/admin/demo/reorg"


class FakeSource:
    """A demo that remembers how deep it was asked to go."""

    def __init__(self) -> None:
        self.depths: list[int] = []

    async def reorg(self, depth: int) -> tuple[int, int]:
        self.depths.append(depth)
        return 1_000 - depth, 999


SOURCE: Any = FakeSource()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving(demo_source=SOURCE) as it:
        yield it


def test_the_answer_names_the_blocks_that_were_replaced(web: Web) -> None:
    """A dozen, unless another depth is asked for."""
    SOURCE.depths.clear()
    answer = web.ask(f"{PATH}?depth=30", "POST", X_API_Key=ADMIN_TOKEN)
    assert (200, {"from_block": 970, "to_block": 999}) == (answer.status, answer.json)
    assert 200 == web.ask(PATH, "POST", X_API_Key=ADMIN_TOKEN).status
    assert [30, 12] == SOURCE.depths


def test_only_an_admin_may_and_only_so_deep(web: Web) -> None:
    SOURCE.depths.clear()
    assert 403 == web.ask(PATH, "POST", X_API_Key=KEY).status
    for depth in ("0", "3601", "x"):
        answer = web.ask(f"{PATH}?depth={depth}", "POST", X_API_Key=ADMIN_TOKEN)
        assert (400, "depth") == (answer.status, answer.json["error"]["field"])
    assert [] == SOURCE.depths


def test_without_a_demo_it_is_a_conflict() -> None:
    with serving() as web:
        answer = web.ask(PATH, "POST", X_API_Key=ADMIN_TOKEN)
    message = "the demo must run to be reorganized, was off; start with DEMO=on"
    assert (409, message) == (answer.status, answer.json["error"]["message"])
