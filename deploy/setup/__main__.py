"""`python -m deploy.setup [FOLDER [ENVIRONMENT]]`: make FOLDER/.venv as the locks say, or say what
is missing."""

import sys

# Old Pythons are to read this far: no newer syntax, and no import above it.
if sys.version_info < (3, 11):  # noqa: UP036 - the machine's Python may be older than what we ask
    sys.stderr.write(
        "Python 3.11 or newer is needed, %s is %d.%d: set PYTHON=/path/to/python3.11\n"  # noqa: UP031 - as above
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )
    sys.exit(2)

from deploy.setup.environment import main

sys.exit(main(sys.argv[1:]))
