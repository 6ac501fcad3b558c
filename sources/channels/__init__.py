"""Languages that the world outside speaks to a source; each module knows one, nothing of ours."""
