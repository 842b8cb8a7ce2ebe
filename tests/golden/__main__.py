"""`python -m tests.golden BearNicknamed`: writes the golden file of an event, in its schema version
of today, from its sample. One that is there is never written again."""

import sys

from tests.support.event_samples import EVENTS
from tests.support.golden_events import path_of, written


def main() -> None:
    (name,) = sys.argv[1:] or [""]
    event = next((each for each in EVENTS if type(each).__name__ == name), None)
    if event is None:
        sys.exit(f"{name!r} is no event; those of shared/events/child.py are")
    path = path_of(event)
    if path.exists():
        sys.exit(f"{path} is there: published events never change; raise its version first")
    path.write_text(written(event))
    print(path)


if __name__ == "__main__":
    main()
