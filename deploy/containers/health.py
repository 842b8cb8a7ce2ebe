"""`python -m deploy.containers.health [PROCESS]`: exit code 0 when the process here is ready.

PROCESS is command, relay, worker or query; without it, whichever of them listens in this
container. It asks the process itself, on loopback, over HTTP. Only the standard library is loaded:
it runs every few seconds.
"""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence

PORTS = {"command": 8001, "relay": 8002, "worker": 8003, "query": 8004}
ANSWER_SECONDS = 4.0
READY = 200


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    wanted = arguments or list(PORTS)
    unknown = [name for name in wanted if name not in PORTS]
    if unknown:
        print(f"health: {unknown[0]!r} is unknown; known: {', '.join(PORTS)}", file=sys.stderr)
        return 2
    answers = {name: _answer(_port(name, environment)) for name in wanted}
    for name, (status, text) in answers.items():
        if status is not None:
            print(f"{name}: {status} {text}")
    statuses = [status for status, _ in answers.values() if status is not None]
    if not statuses:
        print(f"no process listens: {', '.join(wanted)}")
    return 0 if statuses and all(status == READY for status in statuses) else 1


def _port(name: str, environment: Mapping[str, str]) -> int:
    return int(environment.get(f"TEDDY_{name.upper()}_PORT", PORTS[name]))


def _answer(port: int) -> tuple[int | None, str]:
    """Status and body of its readiness; None where no process listens, 0 where none answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.connect()
    except OSError:
        return None, ""
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
