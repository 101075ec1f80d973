"""Stands for dbt's cross-database macros where sqlfluff reads the models."""


def date_trunc(part: str, expression: str) -> str:
    """Write a truncation."""
    return f"date_trunc('{part}', {expression})"


def dateadd(part: str, number: object, expression: str) -> str:
    """Write an addition."""
    return f"date_add({expression}, {number})"


def datediff(first: str, second: str, part: str) -> str:
    """Write a difference."""
    return f"date_diff('{part}', {first}, {second})"


def type_string() -> str:
    """Write the type of text."""
    return "varchar"
