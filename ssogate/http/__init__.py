"""Environ craft: the target, cookies, headers, redirects, pages. Pure functions over plain values.

May not know sessions' storage, policies or upstreams; whatever decides takes what it needs as
arguments, so that the WSGI layers and any other data path ask the same functions.
"""
