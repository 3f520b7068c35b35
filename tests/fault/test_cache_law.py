"""The long form of tests/test_chunks_law.py: ten thousand questions, another seed each time."""

import secrets
from pathlib import Path

import pytest

from appliance.model import MarketSpec
from tests.chunks_world import chunks_of, small, world
from tests.test_chunks_law import ONCHAIN, TIMED, happen

pytestmark = pytest.mark.fault
STEPS = 1_000
QUESTIONS = 5


@pytest.mark.parametrize("spec", [TIMED, ONCHAIN], ids=["by time", "by chain"])
async def test_ten_thousand_answers_are_those_of_plain_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spec: MarketSpec
) -> None:
    """Five after each of a thousand things that happen to the market, in chunks of any size."""
    seed = secrets.randbelow(1 << 30)
    print(f"{spec.symbol}: seed {seed}")
    small(monkeypatch, 4 + seed % 60)
    async with world(tmp_path, seed, spec, cache_memory_mb=1) as it:
        await it.submit([it.next_trade() for _ in range(10)])
        for step in range(STEPS):
            await happen(it)
            for _ in range(QUESTIONS):
                await it.check(it.question())
            if step % 10 == 0:
                chunks_of(it)._memory._limit = it.choose.choice([30_000, 200_000, 1 << 20])
