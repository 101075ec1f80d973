"""The error of the loading steps."""


class IngestError(Exception):
    """The CRM could not be loaded; the message says what is wrong, where, and how to mend it, and holds no password."""
