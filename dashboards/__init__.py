"""The web pages: what a reader asks for becomes a question to the metrics gateway, and its answer a picture."""
