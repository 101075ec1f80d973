"""A question stands in the address as codes, and whatever stands there is read without harm."""

from hypothesis import given
from hypothesis import strategies as st

from dashboards.explore.question import DEFAULT_TOP, SORTS, TOPS, Question, codes, is_own, read

names = st.text(min_size=1, max_size=20)
several = st.lists(names, unique=True, max_size=4).map(tuple)
questions = st.builds(
    Question,
    metrics=several,
    by=several,
    where=st.dictionaries(names, several.filter(bool), max_size=3).map(lambda where: tuple(sorted(where.items()))),
    chart=st.text(max_size=10),
    sort=st.sampled_from(SORTS),
    top=st.sampled_from(TOPS),
)


@given(questions)
def test_a_question_survives_the_address(question):
    written = codes(question)
    assert read(written) == question
    assert all(map(is_own, written))
    assert all(values and all(isinstance(value, str) for value in values) for values in written.values())


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(["m", "by", "sort", "top", "w.", "w.x"]), several))
def test_any_address_is_a_question(address):
    question = read(address)
    assert question.sort in SORTS
    assert question.top in TOPS
    assert read(codes(question)) == question


def test_a_short_question_has_a_short_address():
    question = Question(("leads",), ("source",), (("plan", ("Spring fair", "Radio")),))
    assert codes(question) == {"m": ["leads"], "by": ["source"], "w.plan": ["Spring fair", "Radio"]}


def test_what_is_no_part_of_it_is_left_alone():
    address = {"m": ["leads", "leads"], "project": ["River Bay"], "lang": ["zh"], "top": ["1e9"], "sort": ["; drop"]}
    assert read(address) == Question(("leads",), top=DEFAULT_TOP)
    assert [name for name in address if is_own(name)] == ["m", "top", "sort"]
