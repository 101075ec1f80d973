"""The board report: the figures of a period for one recipient, as a typeset document and as a message."""
