"""Charts, tables and pages as files: what is shown, its context printed on it, and nothing beyond the reader's view."""
