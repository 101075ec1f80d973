"""The address of the files asks the session of the browser."""

import datetime as dt
from decimal import Decimal

from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboards import files
from data_entry.database import create_engine_for
from data_entry.schema.marketing import Expense
from data_entry.services import attachments, sessions
from data_entry.services.work import writing
from loupan.settings import get_settings
from tests.data_entry.services.people import hire
from tests.support.crm import create_crm

PDF = b"%PDF-1.7\n%%EOF\n"


def test_a_file_goes_to_the_person_of_the_session_only():
    engine = create_engine_for(get_settings().crm_database_url)
    create_crm(engine)
    clerk, seller = hire(engine, "clerk", "marketing"), hire(engine, "seller", "sales")
    with Session(engine) as session:
        expense = Expense(incurred_on=dt.date(2026, 3, 1), amount=Decimal(1), status="draft")
        session.add(expense)
        session.commit()
        key = expense.id
    tokens = {}
    with writing(engine, clerk) as work:
        file = attachments.attach(work, "expense", key, "a.pdf", PDF).id
    for who in (clerk, seller):
        with writing(engine, who) as work:
            tokens[who] = sessions.begin(work, who, "password", None, None)
    client = TestClient(Starlette(routes=files.routes()))

    def status(token):
        return client.get(f"/files/{file}", headers={"cookie": f"loupan_session={token}"}).status_code

    assert status(tokens[clerk]) == 200
    assert status(tokens[seller]) == 404
    assert status("nobody") == 403
    assert client.get(f"/files/{file}").status_code == 403
    with writing(engine, clerk) as work:
        sessions.end(work, tokens[clerk])
    assert status(tokens[clerk]) == 403
