"""The page on which customers answer a survey, asked for over HTTP."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboards import public_survey
from dashboards.throttle import Throttle
from data_entry.services import surveys
from tests.data_entry.services.office_case import office, office_file

__all__ = ["office", "office_file"]


@pytest.fixture
def client(office):
    limit = Throttle(1000, 60)
    return TestClient(Starlette(routes=[public_survey.route(lambda: office.engine, office.clock, limit)]))


@pytest.fixture
def link(office):
    li = office.customer("Li Secret", owner="amy")
    with office.writing("sue") as work:
        survey = surveys.build(work, name="<b>Handover</b>", introduction="Dear owner").id
        question = surveys.ask(work, survey, kind="satisfaction", text="How <i>satisfied</i>?", is_required=True).id
        surveys.ask(work, survey, kind="choice", text="What first?", options="A & B\n<script>")
        (made,) = surveys.issue(work, survey, [li])
    return f"/survey/{made.token}", f"question_{question}"


def test_the_questions_are_shown_escaped_and_nothing_else(client, link):
    page = client.get(link[0], headers={"accept-language": "en"})
    assert page.status_code == 200
    assert "&lt;b&gt;Handover" in page.text
    assert "<script" not in page.text
    assert "<i>" not in page.text
    for word in ("Li Secret", "Amy", "13800000000"):
        assert word not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers


def test_languages(client, link):
    assert "提交答卷" in client.get(link[0], headers={"accept-language": "fr, zh-CN;q=0.5, en;q=0.4"}).text
    assert "Send the answers" in client.get(f"{link[0]}?lang=en", headers={"accept-language": "zh"}).text


def test_answers_are_taken_once(client, link, office):
    address, question = link
    wrong = client.post(f"{address}?lang=en", data={question: ""}, follow_redirects=False)
    assert (wrong.status_code, "Please answer this question." in wrong.text) == (422, True)
    done = client.post(f"{address}?lang=en", data={question: "4", "question_99999": "x", "other": "y"})
    assert "Thank you." in done.text
    assert done.history[0].status_code == 303
    assert "has been used" in client.get(f"{address}?lang=en").text
    assert "has been used" in client.post(f"{address}?lang=en", data={question: "4"}).text
    with office.reading("sue") as work:
        assert surveys.results(work, 1).responses == 1


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 5000, "%00", "..%2f..%2fsetup", "%E4%BD%A0"])
def test_a_token_that_is_none(client, token):
    page = client.get(f"/survey/{token}?lang=en")
    assert page.status_code == 404
    assert client.post(f"/survey/{token}?lang=en", data={"question_1": "5"}).status_code == 404


def test_forms_of_other_sites_are_refused(client, link, office):
    address, question = link
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
        assert client.post(address, data={question: "1"}, headers=headers).status_code == 403
    for headers in ({"sec-fetch-site": "same-origin"},):
        assert client.post(address, data={question: "1"}, headers=headers).status_code == 200


def test_endless_answers_are_refused(client, link):
    assert client.post(link[0], data={link[1]: "x" * 600_000}).status_code == 413


def test_an_address_may_not_ask_without_end(office, link):
    now = [0.0]
    limit = Throttle(3, 60, clock=lambda: now[0])
    client = TestClient(Starlette(routes=[public_survey.route(lambda: office.engine, office.clock, limit)]))
    for now[0] in (0, 21, 42):
        assert client.get(link[0]).status_code == 200
    refused = client.get(link[0])
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "18")
    now[0] = 60
    assert [client.get(link[0]).status_code for _ in range(2)] == [200, 429]
