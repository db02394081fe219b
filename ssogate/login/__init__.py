"""Ways in: each login method has addresses of its own and returns a `SignIn`.

May not know sessions or the layers: a method verifies what it was sent and says what it asserts.
`Endpoints` turns that into a session, so that no method can forget to give a new session id.
"""
