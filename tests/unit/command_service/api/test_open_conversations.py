"""A bear that starts one conversation after the other and ends none, over HTTP."""

from command_service.child.conversations import OPEN_CONVERSATIONS
from shared.event_store.envelope import verify_chain
from tests.support.command_side import CommandClient, CommandSide
from tests.support.consents import BORN
from tests.support.problem_documents import assert_problem

MESSAGE = {"role": "child", "word_count": 12}
ENDED_AND_STARTED = ["ConversationEnded", "ConversationStarted"]


async def test_a_bear_that_ends_nothing_is_never_refused_and_the_oldest_ends(
    side: CommandSide, mother: CommandClient, bear: CommandClient
):
    # given
    child_id = await mother.register()
    path = f"/children/{child_id}/conversations"
    started = []
    for _ in range(OPEN_CONVERSATIONS):
        side.clock.pass_by(seconds=1)
        started.append((await bear.send("POST", path, {})).json()["conversation_id"])
    # when
    one_more = await bear.send("POST", path, {}, key="start-101")
    again = await bear.send("POST", path, {}, key="start-101")
    # then
    assert one_more.status_code == 201, one_more.text
    assert (one_more.status_code, one_more.json()["events"]) == (201, ENDED_AND_STARTED)
    assert one_more.json()["version"] == BORN + OPEN_CONVERSATIONS + 2
    assert again.json() == one_more.json()
    oldest = await bear.send("POST", f"{path}/{started[0]}/messages", MESSAGE)
    assert_problem(oldest, 409, "conversation-not-open")
    for conversation_id in (started[1], one_more.json()["conversation_id"]):
        message = await bear.send("POST", f"{path}/{conversation_id}/messages", MESSAGE)
        assert message.status_code == 201
    assert (
        verify_chain(await side.database.events.load(child_id)).version
        == BORN + OPEN_CONVERSATIONS + 4
    )
