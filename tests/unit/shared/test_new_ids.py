"""Ids are random UUIDs."""

import subprocess
import sys
from uuid import RFC_4122, UUID

from shared.auth.access import is_uuid
from shared.clock import new_id


def test_each_is_another_uuid_of_version_4():
    # given more than there are values of any of its digits
    ids = [new_id() for _ in range(400)]
    # when
    read = [UUID(one) for one in ids]
    # then
    assert len(set(ids)) == len(ids)
    assert all(is_uuid(one) and str(uuid) == one for one, uuid in zip(ids, read, strict=True))
    assert {uuid.version for uuid in read} == {4}
    assert {uuid.variant for uuid in read} == {RFC_4122}
    # every digit that is free takes every value
    assert {len({one[at] for one in ids}) for at in range(36) if at not in FIXED} == {16}
    assert {one[19] for one in ids} == set("89ab")


FIXED = {8, 13, 18, 23, 14, 19}


def test_a_process_that_forks_shares_no_ids_with_its_child():
    # given a process that has made one
    forks = (
        "import os, sys; from shared.clock import new_id; new_id(); child = os.fork();"
        "sys.stdout.write(new_id() + '\\n'); sys.stdout.flush(); child and os.waitpid(child, 0)"
    )
    # when
    made = subprocess.run([sys.executable, "-c", forks], capture_output=True, text=True, check=True)
    # then
    assert len(set(made.stdout.split())) == 2
