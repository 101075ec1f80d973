"""Pictures of metrics: one shared template, one constructor call per figure, each with words and a table beside it."""
