"""What people do on a page. Each step ends when the page has answered."""

from __future__ import annotations

import re

import pytest

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

# A run begins when the server hears of what was done, some time after it was done: on a busy machine after longer than
# a page needs to look finished. So the page counts what its socket sends and hears, and is not settled before the
# server has said something. What it answers with silence is waited for no longer than so many milliseconds.
_SILENCE = 5_000
COUNT_TRAFFIC = """(() => {
    const traffic = window.loupanTraffic = { count: 0, sent: 0, heard: 0, sentAt: 0 };
    window.WebSocket = class extends window.WebSocket {
        constructor(...given) {
            super(...given);
            this.addEventListener('message', () => { traffic.heard = ++traffic.count; });
        }
        send(data) {
            traffic.sent = ++traffic.count;
            traffic.sentAt = performance.now();
            super.send(data);
        }
    };
})();"""

# Streamlit draws for a while after a run has ended: parts whose script is not there yet are skeletons, and the same
# number of parts must be seen a few times one after another.
_IS_SETTLED = """silence => {
    const traffic = window.loupanTraffic;
    const isAnswered = traffic.heard > traffic.sent || performance.now() - traffic.sentAt > silence;
    const isDone = isAnswered
        && document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
        && document.querySelector('[data-testid=stMain] h1, .st-key-lp_notice')
        && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]');
    const parts = isDone ? document.querySelectorAll('[data-testid^=st]').length : -1;
    const seen = window.loupanSeen ?? {};
    window.loupanSeen = { parts, times: parts === seen.parts ? seen.times + 1 : 0 };
    return isDone && window.loupanSeen.times >= 3;
}"""

# How long, in ms, what a click opens is waited for before the next click: a run that was still under way closes it
# again, and a list that opened as it came into focus is closed by the first click.
_PATIENCE = (500, 1_000, 2_000, 4_000, 8_000)


def settle(page) -> None:
    """Wait until Streamlit has finished the run that was asked for, and has drawn it."""
    page.evaluate("() => { window.loupanSeen = {}; }")
    page.wait_for_function(_IS_SETTLED, arg=_SILENCE, timeout=60_000, polling=50)


def press(place, name=re.compile("")) -> None:
    """Press the last button of a place: a dialog comes last on a page.

    Args:
        place: a page or a part of one.
        name: its whole name, without the icon that may stand before it and the keys behind it; or a pattern.
    """
    if isinstance(name, str):
        name = re.compile(rf"^([a-z_]+ ?)?{re.escape(name)}( Shortcut .*)?$")
    place.get_by_role("button", name=name).last.click()
    settle(_page_of(place))


def fill(place, label, text) -> None:
    """Type into the last field of a place and leave it, which is when Streamlit takes it.

    Args:
        place: a page or a part of one.
        label: its whole label, or a pattern.
        text: what to type.
    """
    if isinstance(label, str):
        label = re.compile(rf"^{re.escape(label)}( \*)?$")
    field = place.get_by_role("textbox", name=label).last
    field.fill(text)
    field.press("Tab")
    settle(_page_of(place))


def choose(place, label=re.compile(""), option=None, *, nth=0) -> str:
    """Choose from the last list of a place, and return the words of what was chosen.

    Args:
        place: a page or a part of one.
        label: a part of the list's label, with its capitals, or a pattern.
        option: words of the wanted option.
        nth: its place, where no words are given.
    """
    page = _page_of(place)
    if isinstance(label, str):
        label = re.compile(re.escape(label))
    box = place.get_by_role("combobox", name=label).last
    offered = page.get_by_role("option")
    wanted = offered.nth(nth) if option is None else offered.filter(has_text=option).first
    for patience in _PATIENCE:
        box.click()
        if option is not None:
            # What is typed a second time would not be looked for a second time.
            box.fill("")
            box.fill(option)
        try:
            words = wanted.inner_text(timeout=patience)
            wanted.click(timeout=patience)
        except playwright_api.TimeoutError:
            continue
        settle(page)
        return words
    raise AssertionError(f"the list {label!r} offers no {option!r}" if option else f"the list {label!r} stays shut")


def unfold(button, content) -> None:
    """Press a button until what it unfolds is seen."""
    for patience in _PATIENCE:
        button.click()
        try:
            content.wait_for(timeout=patience)
        except playwright_api.TimeoutError:
            continue
        return
    raise AssertionError(f"{button} does not unfold {content}")


def closed(page) -> None:
    """Wait until the dialog has gone: what was entered is saved."""
    page.get_by_role("dialog").wait_for(state="detached")
    settle(page)


def _page_of(place):
    return getattr(place, "page", place)
