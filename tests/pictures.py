"""``make pictures``: take the pictures of the README anew, of a generated company in a real browser."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.end_to_end.conftest import new_profile, sign_in
from tests.end_to_end.steps import settle
from tests.support.browser import launch
from tests.support.installation import demonstrate, running_server

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
SCALE = 0.3
PLOTLY = 2_000  # ms until the marks of the last chart are there: they come after its axes


@dataclass(frozen=True)
class Picture:
    """One picture: who looks at which page, and how."""

    name: str
    role: str
    path: str
    language: str = "en"
    theme: str = "light"
    width: int = 1440
    height: int = 1000


PICTURES = (
    Picture("overview", "executive", "overview"),
    Picture("complaints", "executive", "complaints", language="zh", theme="dark"),
    Picture("estate-board", "sales", "estate-board"),
    Picture("explore", "marketing", "explore?m=conversion_rate&by=source"),
    Picture("phone", "executive", "sales", language="zh", width=390, height=844),
)


def main() -> None:
    """Make the company, and the pictures of it."""
    with tempfile.TemporaryDirectory(prefix="loupan-pictures-") as folder:
        demonstrate(Path(folder), SCALE)
        with running_server(Path(folder)) as address, sync_playwright() as playwright:
            browser = launch(playwright)
            for picture in PICTURES:
                context = new_profile(
                    browser,
                    storage_state=sign_in(browser, address, picture.role),
                    color_scheme=picture.theme,
                    viewport={"width": picture.width, "height": picture.height},
                )
                page = context.new_page()
                page.goto(f"{address}/{picture.path}{'&' if '?' in picture.path else '?'}lang={picture.language}")
                settle(page)
                page.wait_for_timeout(PLOTLY)
                page.screenshot(path=FOLDER / f"{picture.name}.png")
                context.close()
            browser.close()


if __name__ == "__main__":
    main()
