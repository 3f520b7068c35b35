"""Signals that end the process are never lost and raise nothing."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from appliance import signals
from appliance.signals import ENDING, Ending


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the handlers back, and do not wait for a server to settle."""
    monkeypatch.setattr(signals, "_SETTLE_S", 0.0)
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
async def test_a_signal_before_the_server_runs_is_remembered(number: signal.Signals) -> None:
    """Also when another library took the handlers in between."""
    ending = Ending()
    ending.remember()
    told = [ending.told]
    signal.raise_signal(number)
    assert [False, True] == [*told, ending.told]
    signal.signal(number, signal.SIG_IGN)
    ending.remember()
    await asyncio.wait_for(ending.until_told(), 5)


@pytest.mark.parametrize("number", ENDING)
async def test_a_signal_while_the_server_runs_is_told(number: signal.Signals) -> None:
    ending = Ending()
    ending.remember()
    waiting = asyncio.create_task(ending.until_told())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    signal.raise_signal(number)
    await asyncio.wait_for(waiting, 5)
    assert ending.told
    asyncio.get_running_loop().remove_signal_handler(number)
