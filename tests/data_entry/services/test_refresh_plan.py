"""The plan of refreshes as people keep it from a page, several at once included."""

import threading

import pytest

from data_entry.services import refreshes
from data_entry.services.errors import Refused
from loupan.i18n import translator
from loupan.schedules import RefreshSchedule, read_plan
from loupan.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path)


def save(office, settings, name, cron="0 3 * * *", replaces=None):
    with office.writing("admin") as work:
        refreshes.save_schedule(work, settings, name, cron, full=False, working_days=False, replaces=replaces)


def names(settings):
    return [rule.name for rule in read_plan(settings).refreshes]


@pytest.mark.parametrize(
    ("name", "cron", "english", "chinese"),
    [
        ("x; drop", "0 3 * * *", "'x; drop' is no name of a schedule", "不能作为计划名称"),
        ("", "0 3 * * *", "'' is no name of a schedule", "不能作为计划名称"),
        ("night", "0 99 * * *", "'0 99 * * *' is no time in cron notation", "不是有效的 cron 时间"),
        ("night", "0 0 30 2 *", "'0 0 30 2 *' is no time in cron notation, or never comes", "不是有效的 cron 时间"),
    ],
)
def test_what_is_typed_in_is_checked_and_refused_in_the_readers_language(
    office, settings, name, cron, english, chinese
):
    with pytest.raises(Refused) as error:
        save(office, settings, name, cron)
    assert english in str(error.value)
    assert chinese in error.value.text(translator("zh"))
    assert names(settings) == ["daily", "hourly"]


def test_a_rule_that_is_changed_keeps_its_place(office, settings):
    daily = read_plan(settings).refreshes[0]
    save(office, settings, "daily", "30 5 * * *", replaces=daily)
    assert names(settings) == ["daily", "hourly"]
    assert read_plan(settings).refreshes[0].cron == "30 5 * * *"


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(office, settings):
    shown = read_plan(settings).refreshes[0]
    save(office, settings, "daily", "30 5 * * *", replaces=shown)
    with pytest.raises(Refused, match="Somebody else has changed"):
        save(office, settings, "daily", "45 5 * * *", replaces=shown)
    with pytest.raises(Refused, match="Somebody else has changed"), office.writing("admin") as work:
        refreshes.remove_schedule(work, settings, shown)
    assert read_plan(settings).refreshes[0].cron == "30 5 * * *"


def test_rules_added_in_the_same_moment_all_stay(office, settings):
    added = [f"rule_{number}" for number in range(8)]
    ready = threading.Barrier(len(added))

    def add(name):
        ready.wait()
        with office.writing("admin") as work:
            refreshes.save_schedule(work, settings, name, "0 3 * * *", full=False, working_days=False, replaces=None)

    people = [threading.Thread(target=add, args=(name,)) for name in added]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(names(settings)) == sorted(["daily", "hourly", *added])
    assert all(isinstance(rule, RefreshSchedule) for rule in read_plan(settings).refreshes)
