"""Models on the marts: found, run apart from the refresh, and written beside the marts."""
