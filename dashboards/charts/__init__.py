"""Pictures of metrics: one shared layout, one constructor call per figure, each with words and a table beside it."""
