from dataclasses import replace

import pytest

from command_service.application import Tuning
from command_service.child.errors import InvalidCommand
from shared.events.child import AlertChannel
from tests.support.child_facts import CONFIGURE, REGISTER
from tests.support.command_side import CommandSide, Database

IN_APP_ONLY = frozenset({AlertChannel.IN_APP})
ONLY_IN_APP = Tuning(timeout_seconds=60.0, alert_channels=IN_APP_ONLY)


async def test_only_a_policy_of_channels_that_are_set_up_is_taken():
    side = await CommandSide(tuning=ONLY_IN_APP).given(REGISTER)
    with pytest.raises(InvalidCommand) as refused:
        await side.do(CONFIGURE)
    (error,) = refused.value.errors
    assert (error.field, error.limit) == ("channels", "in_app")
    assert "webhook" in error.message
    assert "AlertPolicyConfigured" not in await side.stored_events()
    await side.do(replace(CONFIGURE, channels=(AlertChannel.IN_APP,)))

    assert "AlertPolicyConfigured" in await side.stored_events()


async def test_the_repetition_of_what_was_taken_has_the_answer_of_then():
    # given a policy that was taken while the webhook was set up, and another one since
    database = Database()
    before = await CommandSide(database).given(REGISTER)
    first = await before.do(CONFIGURE, key="key-1")
    in_app = (AlertChannel.IN_APP,)
    await before.do(replace(CONFIGURE, channels=in_app), key="key-2")

    again = await CommandSide(database, tuning=ONLY_IN_APP).do(CONFIGURE, key="key-1")

    assert again.version == first.version
