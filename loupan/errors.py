"""The one kind of error that is shown to people as a message, without a traceback."""


class LoupanError(Exception):
    """Something a person can mend; the message names what, where and how."""
