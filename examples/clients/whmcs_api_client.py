"""Sign a client's owner in by the package whmcs-api-client, 1.0.32:

    pip install whmcs-api-client
    export GATE_URL=https://app.example API_IDENTIFIER=… API_SECRET=… CLIENT_ID=1
    python whmcs_api_client.py

It knows no CreateSsoToken, so that call is put together from its parts.
"""

import json
import os
import sys

from whmcs_client import ApiClient, Configuration, DefaultApi

url, identifier, secret, client = (
    os.environ[name] for name in ("GATE_URL", "API_IDENTIFIER", "API_SECRET", "CLIENT_ID")
)
with ApiClient(Configuration(host=f"{url}/includes")) as connection:
    gate = DefaultApi(connection)

    details = gate.get_clients_details(identifier, secret, clientid=int(client))
    if details.client is None:
        sys.exit(details.message)
    print(f"client {client}: {details.client.email}")

    found = gate.get_clients_products(identifier, secret, clientid=int(client))
    if found.products is None:
        sys.exit(found.message)
    for service in found.products["product"]:
        print(f"service {service['id']}: {service['name']}, {service['status']}")

    listed = gate.get_clients(identifier, secret, limitnum=10)
    print(f"{listed.numreturned} of {listed.totalresults} clients")

    call = connection.param_serialize(
        "POST",
        "/api.php",
        header_params={"Content-Type": "application/x-www-form-urlencoded"},
        post_params=[
            ("action", "CreateSsoToken"),
            ("username", identifier),
            ("password", secret),
            ("client_id", client),
        ],
    )
    answer = json.loads(connection.call_api(*call).read())
    if answer["result"] != "success":
        sys.exit(answer["message"])
    print(answer["redirect_url"])
