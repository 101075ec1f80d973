"""A seeded generator of a believable real-estate company, with planted truths."""

from sample_data.errors import CrmNotEmpty, CrmNotReady, SampleArgumentError
from sample_data.generator import Summary, generate

__all__ = ["CrmNotEmpty", "CrmNotReady", "SampleArgumentError", "Summary", "generate"]
