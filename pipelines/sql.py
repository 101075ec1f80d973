"""Quoting of names and values for SQL text."""


def name(*parts: str) -> str:
    """Quote an identifier, e.g. ``name("raw", "lead")`` → ``"raw"."lead"``."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(value: str) -> str:
    """Quote a text value."""
    return "'" + value.replace("'", "''") + "'"
