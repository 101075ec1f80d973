"""Models on the marts: what a model's file uses, and how its published results are read.

A model is one Python file with ``CARD``, ``READS`` and ``run(marts)``; `docs/own_model.md` shows how to write one.
"""

from loupan.mining.card import Card, Feature
from loupan.mining.marts import Marts
from loupan.mining.result import Abstain, Evaluation, Field, Output, Picture, Result

__all__ = ["Abstain", "Card", "Evaluation", "Feature", "Field", "Marts", "Output", "Picture", "Result"]
