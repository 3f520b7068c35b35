"""The same question to several at once: answers in time, and nobody asked twice."""

import asyncio

import pytest

from appliance.rpc.asked import Questions


class Crowd:
    """Answers when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def question(self, who: str) -> str | None:
        self.asked.append(who)
        if who in self.gates:
            await self.gates[who].wait()
        return None if who.startswith("none") else who.upper()


async def test_answers_come_in_the_order_of_the_asked() -> None:
    crowd, questions = Crowd(), Questions[str, str](1.0)
    found = await questions.ask(["b", "none", "a"], crowd.question)
    assert {"b": "B", "a": "A"} == found
    assert list(found) == ["b", "a"]
    assert await questions.ask([], crowd.question) == {}


async def test_the_slow_one_is_not_waited_for_nor_asked_twice() -> None:
    crowd, questions = Crowd(), Questions[str, str](0.01)
    crowd.gates["slow"] = asyncio.Event()
    for _ in range(3):
        assert await questions.ask(["slow", "a"], crowd.question) == {"a": "A"}
    assert crowd.asked == ["slow", "a", "a", "a"]
    crowd.gates["slow"].set()
    assert await questions.ask(["slow", "a"], crowd.question) == {"slow": "SLOW", "a": "A"}
    await questions.close()


async def test_nobody_is_given_up_before_somebody_has_answered() -> None:
    crowd, questions = Crowd(), Questions[str, str](0.0)
    crowd.gates["slow"] = asyncio.Event()
    asked = asyncio.create_task(questions.ask(["none", "slow"], crowd.question))
    done, _ = await asyncio.wait([asked], timeout=0.05)
    assert not done
    crowd.gates["slow"].set()
    assert await asked == {"slow": "SLOW"}


async def test_an_answer_that_came_too_late_is_asked_for_again() -> None:
    crowd, questions = Crowd(), Questions[str, str](0.01)
    crowd.gates["slow"] = asyncio.Event()
    await questions.ask(["slow", "a"], crowd.question)
    crowd.gates["slow"].set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(await questions.ask(["slow"], crowd.question)) == 1
    assert crowd.asked.count("slow") == 2


async def test_closing_stops_what_is_under_way() -> None:
    crowd, questions = Crowd(), Questions[str, str](0.0)
    crowd.gates["slow"] = asyncio.Event()
    await questions.ask(["slow", "a"], crowd.question)
    await questions.close()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "question"] == []


async def test_other_errors_are_seen_each_time() -> None:
    questions = Questions[str, str](0.0)

    async def broken(who: str) -> str | None:
        raise KeyError(who)

    for _ in range(2):
        with pytest.raises(KeyError):
            await questions.ask(["a"], broken)
