"""Other tools beside Loupan: the same data, the same questions, in one run."""
