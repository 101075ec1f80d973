"""What messages become where Streamlit reads Markdown."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from loupan import ui


def read(text):
    """Return what CommonMark shows of one paragraph: kind and content of its pieces."""
    paragraph, inline, end = MarkdownIt("commonmark").parse(f"> {text}")[1:-1]
    assert (paragraph.type, end.type) == ("paragraph_open", "paragraph_close")
    return [(piece.type, piece.content) for piece in inline.children]


def test_a_command_in_a_message_is_code():
    assert read(ui.sentence("Start it with `loupan service`, or set LOUPAN_DAGSTER_PORT.")) == [
        ("text", "Start it with "),
        ("code_inline", "loupan service"),
        ("text", ", or set LOUPAN_DAGSTER_PORT."),
    ]


def test_what_is_typed_stays_as_it_was_typed():
    assert ui.plain("`loupan service`") == r"\`loupan service\`"


@given(st.lists(st.sampled_from(["`", "``", "\\", "a", " b ", "[x](https://example.org)", "![x](y)", "<b>", "*c*",
                                 "_d_", "#", "$e$", "~", "&amp;", "1", ":red[f]"])).map("".join))  # fmt: skip
@example("`a``b``c`[x](y)")
@example(r"`\`[x](y)`")
@example("``a`[x](y)`b``")
@pytest.mark.parametrize("escape", [ui.plain, ui.sentence])
def test_nothing_of_a_message_is_markdown_but_code(escape, text):
    text = f"It is “{text}”"
    pieces = read(escape(text))
    assert {kind for kind, _ in pieces} <= {"text", "code_inline"}
    shown = "".join(content for _, content in pieces)
    assert shown.replace("`", "").replace(" ", "") == text.replace("`", "").replace(" ", "")
