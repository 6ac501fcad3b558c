"""Languages that the outside world speaks to a source; each module knows one and nothing of ours."""
