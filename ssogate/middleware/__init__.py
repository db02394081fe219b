"""The six layers, one class a file: Boundary, Edge, Sessions, Endpoints, Guard, and innermost
ReverseProxy before an upstream, or Wrapped around an app.

Each is ordinary WSGI and works alone around any app. Nothing wraps `start_response` on the way
to an upstream, and no layer touches a body that is not its own. What a layer decides, it asks
of a pure function below; layers do not know one another.
"""
