"""The forms and working pages, a module per area."""
