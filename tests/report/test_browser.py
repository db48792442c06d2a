"""The page in a real browser: it asks for nothing, complains about nothing, and fits phones and desktops."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from repro.report.page import render
from repro.report.style import printable
from tests.report.pages import dossiers

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DOSSIERS = dossiers()
PHONE, DESKTOP, HEIGHT = 390, 1280, 844
PATIENCE = 300_000  # milliseconds

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: scripts/setup-test-tools installs it")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name}.html" for name in DOSSIERS}
    for name, path in paths.items():
        path.write_bytes(render(DOSSIERS[name]))
    return paths


Opened = Callable[[str, str, int], Page]


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Opened]:
    """Opens a page by name, colour scheme and width; at the end none must have asked for or complained of anything."""
    seen: list[str] = []
    contexts = []

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            seen.append(request.url)

    def open_page(name: str, scheme: Literal["light", "dark"], width: int) -> Page:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": HEIGHT})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("dialog", lambda dialog: seen.append(f"dialog: {dialog.message}"))
        context.on("request", asked)
        page.goto(pages[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", DOSSIERS)
def test_the_page_shows_its_verdict_at_every_size(opened: Opened, name: str, scheme: str) -> None:
    verdict = DOSSIERS[name].verdict
    page = opened(name, scheme, PHONE)
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        heading = page.get_by_role("heading", level=1)
        assert str(verdict.outcome).replace("-", " ") in heading.inner_text()
        box = heading.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < HEIGHT
        assert page.get_by_text(printable(verdict.reason), exact=True).first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for frame in page.frames[1:]:
            assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.title().startswith(str(verdict.outcome).replace("-", " "))


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        ("explained", "light", PHONE),
        ("every-status", "dark", DESKTOP),
        ("hostile", "dark", PHONE),
        ("verified", "light", DESKTOP),
    ],
)
def test_people_with_screen_readers_and_keyboards_find_their_way(
    opened: Opened, name: str, scheme: str, width: int
) -> None:
    page = opened(name, scheme, width)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page, options={"iframes": False})
    assert found.violations_count == 0, found.generate_report()
    assert page.get_by_role("table").count() > 1
    for table in page.get_by_role("table").all():
        assert table.locator("caption").count() == 1
        assert table.get_by_role("columnheader").count() > 1
        assert table.get_by_role("rowheader").count() >= 1
    assert page.locator("img:not([alt]), svg:not([aria-label]), iframe:not([title])").count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"


@pytest.mark.parametrize(("name", "scheme"), [("explained", "light"), ("hostile", "dark")])
def test_the_frame_of_the_notebook_is_readable_too(browser: Browser, opened: Opened, name: str, scheme: str) -> None:
    content = opened(name, scheme, PHONE).frames[1].content()
    page = browser.new_page(color_scheme=scheme)  # scripts, and so Axe, don't run in the frame itself
    page.set_default_timeout(PATIENCE)
    page.set_content(content)
    found = Axe().run(page, options={"runOnly": ["color-contrast", "image-alt", "list", "document-title"]})
    page.close()
    assert found.violations_count == 0, found.generate_report()


def test_nothing_in_the_frame_can_act(opened: Opened) -> None:
    page = opened("hostile", "light", DESKTOP)
    frame = page.frames[1]
    assert page.locator("iframe").get_attribute("sandbox") == ""
    assert (
        frame.locator("script, style ~ style, iframe, form, input, object, svg, link, meta[http-equiv=refresh]").count()
        == 0
    )
    assert frame.locator("[onerror], [onload], [onclick], a[href*=':'], img[src^=http]").count() == 0
    assert "taken" not in page.title()


def test_digits_of_a_value_stay_on_one_line(opened: Opened) -> None:
    page = opened("explained", "light", DESKTOP)
    for value in page.locator("td .whole").all():
        box = value.bounding_box()
        assert box is not None
        assert box["height"] < 30  # two lines of this font are 42
