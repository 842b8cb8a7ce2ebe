"""`python -m deploy.local.apache_kafka`: downloads the jars that are missing.

Exit code 0: all are there. 1: they cannot be had. 3: what was downloaded is not what was expected.
"""

import sys

from deploy.local.apache_kafka.jars import (
    JarsMissing,
    WrongJar,
    download,
    locked_jars,
    maven_repository,
)
from deploy.local.settings import LocalStackSettings
from shared.settings import load_settings

MISSING, WRONG = 1, 3


def main() -> int:
    settings = load_settings(LocalStackSettings)
    try:
        download(maven_repository(), locked_jars(), settings.maven_repository)
    except JarsMissing as missing:
        print(missing, file=sys.stderr)
        return MISSING
    except WrongJar as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    return 0


if __name__ == "__main__":
    sys.exit(main())
