"""What the fast lane takes and what becomes of it: pure functions over bytes and plain values.

Strict by construction: an ordinary request is one that a small grammar accepts to the last byte and
that the same functions let through which the layers ask. Whatever is not ordinary, `None` here, is
the layers' to judge, and so are all refusals. May not know sockets or gunicorn.
"""
