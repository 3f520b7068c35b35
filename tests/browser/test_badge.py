"""The badge in the strip: never verified, equal, not equal."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.browser.visit import Visit

pytestmark = pytest.mark.browser
AT = 1_750_000_000


def open_told(visit: Visit, verify: dict[str, Any]) -> None:
    """Open the page, and let it hear this outcome the next time it asks how the server is."""
    health = visit.page.request.get("/health/ready").json()

    def answer(route: Route) -> None:
        route.fulfill(json=health | {"verify": verify})

    visit.page.route("**/health/ready", answer)
    visit.page.clock.install()
    visit.open()
    visit.page.clock.fast_forward("00:11")
    visit.until("document.getElementById('badge').dataset.verified !== undefined")


def badge(page: Page) -> str:
    """Return what the badge says, as one line."""
    return " ".join(page.inner_text("#badge").split())


def outcome(*, equal: bool, differences: int = 0) -> dict[str, Any]:
    return {"at": AT, "equal": equal, "days": 3, "differences": differences}


def test_nothing_verified_says_so(visit: Visit) -> None:
    visit.open()
    assert badge(visit.page) == "Not verified yet"


def test_equal_candles_are_verified(visit: Visit) -> None:
    """And the badge says when, in words that need no colour."""
    open_told(visit, outcome(equal=True))
    assert badge(visit.page) == "Verified candles equal trades"
    title = visit.page.get_attribute("#badge", "title") or ""
    assert title.startswith("Checked on 15 Jun, 15:06, ")
    assert visit.page.is_visible(".badge-equal svg")


def test_unequal_candles_are_counted_in_the_colour_of_errors(visit: Visit) -> None:
    open_told(visit, outcome(equal=False, differences=1234))
    assert badge(visit.page) == "Not equal 1,234 candles"
    colours = "e => [getComputedStyle(e).color, getComputedStyle(e.querySelector('b')).color]"
    shown = visit.page.eval_on_selector(".badge-unequal", colours)
    normal = visit.page.eval_on_selector(".strip-facts", "e => getComputedStyle(e).color")
    assert shown[0] == shown[1] != normal


def test_a_phone_shows_it_beside_the_attribution(phone: Visit) -> None:
    """Nothing else fits there; without an outcome only the attribution is shown."""
    open_told(phone, outcome(equal=True))
    assert phone.page.is_visible(".badge-equal")
    assert phone.page.is_visible(".attribution")
    assert not phone.page.is_visible(".fact")
    assert not phone.page.evaluate("document.documentElement.scrollWidth > innerWidth")
