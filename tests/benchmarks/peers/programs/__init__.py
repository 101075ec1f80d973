"""Programs of the other tools' environments, run by path: nothing of ours is there to be imported."""
