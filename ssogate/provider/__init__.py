"""What the gate gives to programs that people trust: OAuth's token endpoint (seeds 001 and 003).

May not know sessions or how anybody signs in: it authenticates clients, and hands out tokens that
are redeemed elsewhere.
"""

from ssogate.provider.token import TokenEndpoint

__all__ = ["TokenEndpoint"]
