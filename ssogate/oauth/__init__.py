"""OAuth 2.0 and OpenID Connect as pure functions: a request in, a verified value or a refusal out.

May not know a store, a session, the environ or the time: who asks is looked up by others, and what
is granted is kept by others.
"""
