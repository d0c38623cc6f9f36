"""Expands the SAM template to plain CloudFormation and lints that: some faults show only there. Runs in the `sam` environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
EXPANDED = TEMPLATE.parent / "target" / "template.expanded.json"


class NoManagedPolicies:
    """The template names no managed policy, so there is none to look up."""

    def load(self) -> dict:
        """No policies."""
        return {}


def expand(template: dict) -> dict:
    """The template without its transform. Where the code lies is made up, because SAM wants a bucket."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "artifacts", "Key": name}
    parameters = {name: parameter.get("Default", "https://app.example.com") for name, parameter in template["Parameters"].items()}
    return transform(template, parameters, NoManagedPolicies())


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    EXPANDED.parent.mkdir(exist_ok=True)
    EXPANDED.write_text(json.dumps(expand(yaml_parse(TEMPLATE.read_text())), indent=1))
    lint = [Path(sys.executable).parent / "cfn-lint", "--regions", "us-east-1", "--template", EXPANDED]
    sys.exit(subprocess.run(lint, check=False).returncode)
