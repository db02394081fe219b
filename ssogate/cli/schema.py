"""`ssogate schema`: what may stand in the files, for editors that complete and check YAML."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ssogate import config
from ssogate.cli.console import say_json
from ssogate.config import Settings
from ssogate.policy.settings import PolicyFile
from ssogate.settings import GatewaySettings

_MODELS: Mapping[str, type[Settings]] = {"gateway": GatewaySettings, "policies": PolicyFile}


@click.command()
@click.argument("file", type=click.Choice([*_MODELS]), default="gateway")
def schema(file: str) -> None:
    """Print the JSON Schema of gateway.yaml, or of a policy file.

    \b
    Examples:
      ssogate schema > gateway.schema.json
      ssogate schema policies > policies.schema.json
    Then let the first line of gateway.yaml be
      # yaml-language-server: $schema=gateway.schema.json
    """
    say_json(config.schema(_MODELS[file]))
