"""Who may open what: rules become one compiled policy, and a decision is a look-up in it.

Promises that anything no rule speaks about is denied, that the strictest reading of a path decides,
and that a decision costs the same for ten rules as for ten thousand. Pure functions over plain
values; may not know environs, sessions or upstreams. Only `load` reads files.
"""

from ssogate.policy.compile import Policy, compile_policy
from ssogate.policy.decide import decide
from ssogate.policy.explain import Explanation, explain
from ssogate.policy.load import load_policies, policy_files
from ssogate.policy.settings import PolicySettings

__all__ = [
    "Explanation",
    "Policy",
    "PolicySettings",
    "compile_policy",
    "decide",
    "explain",
    "load_policies",
    "policy_files",
]
