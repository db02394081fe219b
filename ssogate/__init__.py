"""ssogate: a single sign-on gate in front of apps that have none of their own."""

__version__ = "0.2.0"
