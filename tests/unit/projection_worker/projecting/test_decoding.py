"""Waiting for the key file of a rotation, but not for ever."""

import pytest

from projection_worker.projecting.decoding import KeyPatience
from shared.keyring.keyring import ChildCipher, ClosedCipher, SealBroken, UnknownKek
from tests.support.rate_limits import Moments

OPEN = ChildCipher("child-1", bytes(32))
BROKEN = ClosedCipher("child-2", SealBroken("data key of child child-2 cannot be decrypted"))
UNKNOWN = ClosedCipher("child-3", UnknownKek("no key-encryption key 'kek-2' in the key file"))


def test_an_unknown_key_is_waited_for_from_when_it_was_first_met() -> None:
    clock = Moments()
    patience = KeyPatience(30.0, clock)
    for clock.now in (0.0, 15.0, 29.9):
        with pytest.raises(UnknownKek, match="kek-2"):
            patience.wait_for([OPEN, UNKNOWN])

    clock.now = 30.0

    patience.wait_for([OPEN, UNKNOWN])


def test_nobody_waits_for_a_key_that_is_there_and_does_not_open() -> None:
    KeyPatience(30.0, Moments()).wait_for([OPEN, BROKEN])
