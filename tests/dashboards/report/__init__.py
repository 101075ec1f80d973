"""Tests of the board report."""
