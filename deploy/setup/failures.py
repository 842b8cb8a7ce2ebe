"""What `venv` and `pip` print when they fail, as one line that says what to do."""

import errno
import re
import tempfile
from pathlib import Path

NEEDED_SPACE = "1.5 GB"


class SetupError(Exception):
    """The environment could not be made; the message is one line for a person."""


UNREACHABLE = re.compile(
    r"NewConnectionError|Connection refused|Max retries exceeded|Read timed out|ConnectTimeout"
    r"|Failed to establish a new connection|name resolution|Connection reset|Connection aborted"
    r"|ProxyError|Network is unreachable|IncompleteRead|RemoteDisconnected|HTTP error \d+"
    r"|from versions: none"  # all that pip says where its tries are used up
)
UNTRUSTED = re.compile(r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|SSLError")
FULL = re.compile(r"No space left on device|File too large|Disk quota exceeded")
DENIED = re.compile(
    r"(?:Permission denied|Read-only file system|Operation not permitted)(?::? *'([^']+)')?"
)
OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES.*?^ {4}(\S+)", re.DOTALL | re.MULTILINE)
NOT_THERE = re.compile(r"No matching distribution found for (\S+)")
BROKEN = re.compile(r"^(\S+ \S+ (?:requires|has requirement) .*)$", re.MULTILINE)


def explained(step: str, output: str, folder: Path) -> str:
    """One line about `step`, which failed with `output`."""
    if FULL.search(output):
        return disk_is_full(folder)
    if found := OTHER_HASH.search(output):
        return (
            f"the index delivered a file for {found[1]} whose hash is not the locked one; "
            "nothing of it was installed: look at the index or the proxy between, then try again"
        )
    if found := DENIED.search(output):
        return f"no right to write {found[1] or folder}: give it to this user, then try again"
    if UNTRUSTED.search(output):
        return (
            "the package index showed a certificate that pip does not trust: "
            "set PIP_CERT to the file of your authority, then try again"
        )
    if UNREACHABLE.search(output):
        return (
            "the package index did not answer as one: look at the network and the proxy, "
            "or set PIP_INDEX_URL to an index that answers, then try again"
        )
    if found := NOT_THERE.search(output):
        return f"the package index has no {found[1]} for this Python and machine"
    if found := BROKEN.search(output):
        return f"the locked packages do not fit each other: {found[1]}"
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    return f"{step} failed: {last or 'it said nothing'}"


def explained_os_error(error: OSError, folder: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
        return disk_is_full(folder)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"no right to write {error.filename or folder}: give it to this user, then try again"
    return f"{error.filename or folder}: {error.strerror}"


def disk_is_full(folder: Path) -> str:
    return (
        f"no space left: about {NEEDED_SPACE} is needed in {folder}, "
        f"and some in {tempfile.gettempdir()} and pip's cache; make room, then try again"
    )
