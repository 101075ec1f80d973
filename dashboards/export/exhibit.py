"""What a file is made of: one drawing with its title, and whatever decides or explains what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboards.confidence import FEATURE, Confidence, confidence, titles
from dashboards.view import View
from loupan.ui.drawing import Column, Drawing


@dataclass(frozen=True)
class Exhibit:
    """A titled drawing of a view; drawn when it is asked for, from the view's own answers and nothing else.

    Attributes:
        view: the reader's view.
        title: what is shown.
        draw: makes the drawing from the view and `arguments`; remembers it.
        arguments: handed to `draw`.
        measures: the metrics the page says are shown.
        caption: the sentence under the title.
    """

    view: View
    title: str
    draw: Callable[..., Drawing]
    arguments: tuple[Any, ...] = ()
    measures: Sequence[str] = ()
    caption: str = ""

    @property
    def drawing(self) -> Drawing:
        """The drawing."""
        return self.draw(self.view, *self.arguments)

    @property
    def columns(self) -> Sequence[Column]:
        """The numbers as they are; where the drawing has texts only, those."""
        drawing = self.drawing
        return drawing.columns or [Column(str(name), texts.tolist()) for name, texts in drawing.table.items()]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics shown, each once."""
        return tuple(dict.fromkeys((*self.measures, *(c.metric for c in self.drawing.columns if c.metric))))

    @property
    def confidence(self) -> Confidence | None:
        """How far the entry of what is shown can be trusted; None where nothing can be said."""
        # Of the view, only what decides its answers: themes and comparisons share one grade.
        view = View(self.view.gateway, self.view.language, "", self.view.period, self.view.where)
        called = titles(View(view.gateway, view.language, "", view.period))
        drawing = self.drawing
        dimensions = {drawing.dimension, *(called.get(str(head), "") for head in drawing.table.columns)}
        if FEATURE in dimensions or "feature_value" in dimensions:
            # Which feature it is the page knows, or the filter.
            chosen = [value for name, values in self.view.where if name == "feature" for value in values]
            dimensions |= {FEATURE + str(name).removeprefix(FEATURE) for name in (*self.arguments, *chosen)}
        return confidence(view, self.metrics, tuple(sorted(dimensions - {""})))

    def in_theme(self, theme: str) -> Exhibit:
        """Return the same in another theme."""
        return replace(self, view=replace(self.view, theme=theme))
