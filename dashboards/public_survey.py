"""The page on which customers answer a survey: reached by a link with a token, without signing in.

It is drawn on the server, sets no cookie, runs no script, and shows the survey's own words only: nothing about the
customer, the employee or the company's other data. Whoever holds the link may answer, once, or for a public link any
number of times; requests are limited by the address they come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from anyio import to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboards.gate import CrmNotReady, ready_engine
from dashboards.throttle import Attempts, throttle
from data_entry.access import SYSTEM
from data_entry.services import surveys
from data_entry.services.errors import Invalid, NotFound, Refused
from data_entry.services.work import Clock, reading, utc_now, writing
from loupan.i18n import LANGUAGES, marked, translator
from loupan.settings import get_settings

PATH = "/survey/{token}"
LONGEST_TOKEN = 100
LARGEST_BODY = 512 * 1024

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined
)
_MESSAGES = {
    "unknown": marked("This link is not valid. Please check it, or ask for a new one."),
    "ahead": marked("This survey has not begun yet."),
    "closed": marked("This survey has ended."),
    "used": marked("This link has been used. Thank you for your answers."),
    "thanks": marked("Thank you. Your answers have been received."),
    "busy": marked("Too many requests. Please wait a minute and try again."),
    "foreign": marked("The answers did not come from this page. Please open the link again."),
    "large": marked("The answers are too long."),
    "not_ready": marked("This page is not ready at the moment. Please come back later."),
}
_STATUS = {"unknown": 404, "busy": 429, "foreign": 403, "large": 413, "not_ready": 503}


def route(engine: Callable[[], sa.Engine], clock: Clock = utc_now, limit: Attempts | None = None) -> Route:
    """Return the route of the page.

    Args:
        engine: gives the CRM.
        clock: tells the moment.
        limit: of the requests per address; by default what the settings say.
    """
    counted = limit or throttle("surveys", get_settings().survey_requests_a_minute, 60)

    async def page(request: Request) -> Response:
        token = request.path_params["token"]
        language = _language(request)
        if wait := counted.attempt(request.client.host if request.client else ""):
            return _message("busy", language, {"retry-after": str(wait)})
        if refusal := _refusal(request):
            return _message(refusal, language)
        try:
            crm = await to_thread.run_sync(engine)
        except CrmNotReady:
            return _message("not_ready", language)
        if request.method != "POST":
            return await to_thread.run_sync(_shown, crm, clock, token, language, "done" in request.query_params)
        async with request.form(max_files=0, max_fields=4 * surveys.MOST_QUESTIONS) as form:
            return await to_thread.run_sync(_handed_in, crm, clock, token, language, form)

    return Route(PATH, page, methods=["GET", "POST"], name="survey")


def _refusal(request: Request) -> str | None:
    """Return the message with which a request is turned away before its token is looked up, None to go on."""
    if len(request.path_params["token"]) > LONGEST_TOKEN:
        return "unknown"
    if request.method == "POST":
        if not _is_own(request):
            return "foreign"
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return "large"
    return None


def routes() -> list[Route]:
    """Return the routes of this part, on the CRM of the settings."""
    return [route(ready_engine)]


def _shown(engine: sa.Engine, clock: Clock, token: str, language: str, is_done: bool) -> Response:
    with reading(engine, SYSTEM, clock) as work:
        found = surveys.opened(work, token)
        if is_done and found.state != "unknown":
            return _message("thanks", language)
        return _questions(found, token, language) if found.state == "open" else _message(found.state, language)


def _handed_in(engine: sa.Engine, clock: Clock, token: str, language: str, form: FormData) -> Response:
    given = {
        int(name.removeprefix("question_")): value
        for name, value in form.items()
        if isinstance(value, str) and name.removeprefix("question_").isdecimal() and len(name) < 28
    }
    try:
        with writing(engine, SYSTEM, clock) as work:
            surveys.answer(work, token, given)
    except Invalid as invalid:
        problems = {problem.column: problem.text(translator(language)) for problem in invalid.problems}
        with reading(engine, SYSTEM, clock) as work:
            return _questions(surveys.opened(work, token), token, language, given, problems)
    except (NotFound, Refused):
        return _shown(engine, clock, token, language, is_done=False)
    # Asked for anew, so that loading the page again hands nothing in twice.
    return RedirectResponse(f"/survey/{token}?done&lang={language}", status_code=303)


def _questions(
    found: surveys.Opened,
    token: str,
    language: str,
    given: Mapping[int, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response:
    if found.state != "open":
        return _message(found.state, language)
    return _drawn(
        language, 422 if problems else 200, survey=found.survey, questions=found.questions, token=token,
        given=given or {}, problems=problems or {}, message="",
    )  # fmt: skip


def _message(state: str, language: str, headers: Mapping[str, str] | None = None) -> Response:
    response = _drawn(
        language, _STATUS.get(state, 200), survey=None, questions=(), token="", given={}, problems={},
        message=translator(language)(_MESSAGES[state]),
    )  # fmt: skip
    response.headers.update(headers or {})
    return response


def _drawn(language: str, status: int, **values: object) -> Response:
    text = _TEMPLATES.get_template("survey.html").render(
        t=translator(language), language=language, languages=LANGUAGES,
        scale=range(surveys.SCALE[0], surveys.SCALE[1] + 1), longest=surveys.LONGEST_ANSWER, **values,
    )  # fmt: skip
    headers = {"cache-control": "no-store", "referrer-policy": "same-origin", "x-robots-tag": "noindex, nofollow"}
    return HTMLResponse(text, status, headers)


def _language(request: Request) -> str:
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    preferred: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "")[:200].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            number = float(weight) if weight else 1.0
        except ValueError:
            number = 0.0
        preferred.append((number if math.isfinite(number) else 0.0, name.lower().partition("-")[0]))
    ranked = sorted(preferred, key=lambda pair: -pair[0])
    return next((name for weight, name in ranked if weight > 0 and name in LANGUAGES), "zh")


def _is_own(request: Request) -> bool:
    """Whether a form was sent from this very site, as the browser says."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or (origin != "null" and urlsplit(origin).netloc == request.headers.get("host"))
