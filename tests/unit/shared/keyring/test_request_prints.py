"""Prints of requests under a child's own key."""

import hashlib
import hmac

import pytest

from shared.keyring.keyring import ChildCipher, ClosedCipher, SealBroken

KEY, OTHER = b"k" * 32, b"x" * 32
CONTENT = b"PATCH\n/v1/children/child-1/profile\n{}"


def test_a_print_is_the_same_for_the_same_request_and_key_only():
    cipher = ChildCipher("child-1", KEY)
    assert cipher.print_of(CONTENT) == ChildCipher("child-1", KEY).print_of(CONTENT)
    others = {cipher.print_of(CONTENT + b" "), ChildCipher("child-1", OTHER).print_of(CONTENT)}
    assert len(others | {cipher.print_of(CONTENT)}) == 3


def test_the_data_key_seals_and_is_used_for_nothing_else():
    # HKDF-Expand of RFC 5869 with one block: HMAC(key, purpose, 1)
    own = hmac.new(KEY, b"teddy request print\x01", hashlib.sha256).digest()
    expected = hmac.new(own, CONTENT, hashlib.sha256).hexdigest()
    assert ChildCipher("child-1", KEY).print_of(CONTENT) == expected
    assert hmac.new(KEY, CONTENT, hashlib.sha256).hexdigest() != expected


def test_of_a_child_whose_key_does_not_open_there_is_no_print():
    closed = ClosedCipher("child-1", SealBroken("another file's"))
    with pytest.raises(SealBroken, match="another file's"):
        closed.print_of(CONTENT)
