"""Known vulnerabilities in the pinned dependencies, as pip-audit finds them. A service that
does not answer is reported and does not fail the check; a finding ends it with exit code 1."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

PATIENCE_SECONDS = 300


def report_of(found: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """pip-audit's JSON as lines of findings, and the names of what could not be looked up."""
    findings: list[str] = []
    unknown: list[str] = []
    for dependency in found["dependencies"]:
        if "skip_reason" in dependency:
            unknown.append(dependency["name"])
        for vulnerability in dependency.get("vulns", ()):
            fixed = ", ".join(vulnerability["fix_versions"]) or "no fixed version yet"
            pinned = f"{dependency['name']} {dependency['version']}"
            findings.append(f"{pinned}: {vulnerability['id']}, fixed in {fixed}")
    return findings, unknown


def audited(requirements: str) -> Mapping[str, Any] | None:
    """What pip-audit says of a file of hashed requirements; None when no service answered."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", requirements]
    options = ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, a file of this repository
            [*command, *options], capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
        found: Mapping[str, Any] = orjson.loads(done.stdout)
    except (subprocess.TimeoutExpired, orjson.JSONDecodeError):
        return None
    return found


def main(arguments: Sequence[str]) -> int:
    for requirements in arguments:
        found = audited(requirements)
        if found is None:
            print(f"{requirements}: the advisory service did not answer; nothing was audited")
            continue
        findings, unknown = report_of(found)
        for finding in findings:
            print(finding)
        if findings:
            return 1
        if unknown:
            print(f"{requirements}: no answer about {len(unknown)} of {len(found['dependencies'])}")
        else:
            print(f"{requirements}: {len(found['dependencies'])} dependencies, none vulnerable")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
