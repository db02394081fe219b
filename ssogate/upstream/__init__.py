"""Choose a route, keep connections alive, relay a request and its answer, strictly.

Promises: the path that was judged is byte for byte the path that is sent; both bodies are
streamed at flat memory; an answer is read by the letter of RFC 9112, and a connection is used
again only when nothing of the last answer can be left on it. Our own client, since libraries
rewrite paths and read answers leniently.

Knows neither WSGI's environ nor sessions nor policies: everything comes as plain values.
"""
