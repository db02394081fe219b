"""Signed links, as PHPKB's single sign-on guide describes them (seed 004, PROTOCOLS section 1).

`link` is the format, pure; `method` the login method; `diagnose` takes a broken link apart.
"""

from ssogate.login.signed_link.diagnose import diagnose
from ssogate.login.signed_link.link import make_query, sign
from ssogate.login.signed_link.method import SignedLink
from ssogate.login.signed_link.settings import SignedLinkSettings, link_problems

__all__ = ["SignedLink", "SignedLinkSettings", "diagnose", "link_problems", "make_query", "sign"]
