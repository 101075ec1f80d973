"""Does each method find what is planted, and nothing where nothing is? Run ``python -m tests.validation``."""
