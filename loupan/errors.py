"""The one kind of error that is shown to people as a message, without a traceback."""


class LoupanError(Exception):
    """Something a person can mend; the message names what, where and how."""

    # Whether the message may stand in a log: it quotes nothing that somebody entered, and no password.
    is_impersonal = False
