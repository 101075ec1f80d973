"""The errors of the loading steps."""


class IngestError(Exception):
    """The CRM could not be loaded; the message says what is wrong, where, and how to mend it, and holds no password."""


class SourceUnavailable(IngestError):
    """The CRM does not answer at the moment: the same load may succeed a little later."""
