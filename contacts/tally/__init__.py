"""What grows without end, counted once, so that figures over all of it cost the same at any size
(docs/decisions/0014-counting-what-is-over.md).
"""
