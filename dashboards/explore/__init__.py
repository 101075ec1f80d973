"""Explore: any metrics by any dimensions, under any filters, drawn as suits the question."""
