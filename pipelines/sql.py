"""Quoting of names and values for SQL text, and how texts are read as moments."""


def name(*parts: str) -> str:
    """Quote an identifier, e.g. ``name("raw", "lead")`` → ``"raw"."lead"``."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(value: str) -> str:
    """Quote a text value."""
    return "'" + value.replace("'", "''") + "'"


def moment(text: str) -> str:
    """Return the SQL expression (UTC) of a moment written as ISO text; NULL where it is none.

    A plain cast drops an offset; by way of the zoned type it is applied (the session's zone is UTC). That takes four
    times as long, so what stands in the form that our own CRM writes is read by its form.
    """
    return (
        f"coalesce(try_strptime({text}, '%Y-%m-%d %H:%M:%S.%f'), "
        f"try_cast(nullif({text}, '') as timestamptz)::timestamp)"
    )
