"""A seeded generator of a believable real-estate company, with planted truths."""
