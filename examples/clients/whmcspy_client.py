"""Sign a client's owner in by the package whmcspy, 0.3.0 (`pip install whmcspy`):

    GATE_URL=https://app.example API_IDENTIFIER=… API_SECRET=… CLIENT_ID=1 python whmcspy_client.py

whmcspy never verifies the gate's certificate: call only a gate on the same machine with it, or
over a network that is yours alone.
"""

import os

from whmcspy import WHMCS

url, identifier, secret, client = (
    os.environ[name] for name in ("GATE_URL", "API_IDENTIFIER", "API_SECRET", "CLIENT_ID")
)
gate = WHMCS(f"{url}/includes/api.php", identifier, secret)

details = gate.call("GetClientsDetails", clientid=client)
print(f"client {details['id']}: {details['companyname']}, {details['status']}")

for service in gate.get_clients_products(clientid=client):
    print(f"service {service['id']}: {service['name']}, {service['status']}")

for server in gate.get_servers():
    print(f"server {server['id']}: {server['name']}")

# `sso:custom_redirect` leads to any page; there is a name for each page of WHMCS's own.
token = gate.call(
    "CreateSsoToken",
    client_id=client,
    destination="sso:custom_redirect",
    sso_redirect_path="viewinvoice.php?id=3",
)
print(token["redirect_url"])
