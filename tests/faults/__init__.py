"""Faults that are really injected into refreshes, and what becomes of them: ``python -m tests.faults``."""
