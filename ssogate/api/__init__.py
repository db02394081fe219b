"""`/includes/api.php`: WHMCS's API for programs (PROTOCOLS 2.1 and 2.2).

Promises WHMCS's addresses, parameters, answers and words, as far as they are public: the API
reference at developers.whmcs.com, and what independent clients send and read. Knows the directory,
where all rules stand; not how people sign in: a password is judged by whoever is handed in.
"""

from ssogate.api.endpoint import ACTIONS, Api
from ssogate.api.settings import ApiSettings

__all__ = ["ACTIONS", "Api", "ApiSettings"]
