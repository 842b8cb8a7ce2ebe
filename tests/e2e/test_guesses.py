"""A whole running system, its databases and topics in the hands of who has the key file, too."""

from deploy.local.state import StackFolder, StackState
from shared.keyring.key_file import read_key_file
from tests.support.guessed_child import asked_of_an_erased_child


async def test_of_an_erased_child_no_store_confirms_a_guess(
    services: StackFolder, running: StackState
) -> None:
    keys = read_key_file(services.keys / "keys.json")
    assert await asked_of_an_erased_child(running, keys) == set()
