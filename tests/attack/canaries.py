"""Values that occur nowhere else, through everything that a caller may do; then every byte that was
written is searched for them. With dead letters and an erasure, too: tests/e2e/test_canaries.py."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.attack.row import Broken, Row, Seen
from tests.attack.world import World
from tests.support.canaries.accepted import live, look
from tests.support.canaries.callers import calling
from tests.support.canaries.places import texts_of_a_running, texts_of_files, tools
from tests.support.canaries.refused import no_http, refused
from tests.support.canaries.values import MARK, PLACE_MARK, canary, found_in
from tests.support.waiting import STARTED, eventually

TOOLS = "tools"
"""Run for their row alone: a dozen commands, among them a rebuild."""

SEARCHED: Mapping[str, str] = {
    "logs": "the file ",
    "topics": "the topic ",
    "databases": "the collection ",
    "metrics, health, documentation": "the page ",
    TOOLS: "what `teddy ",
    "refusals": "the refusal ",
    "numbers": "numbers ",
}
"""Kind of place to how its texts begin."""

LIFE = "every command and query by everybody, accepted and refused"


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of place; the first of them lives the life that all look for."""

    name: str
    begins: str

    @property
    def ci(self) -> bool:
        return self.name != TOOLS

    @property
    def tried(self) -> str:
        return LIFE

    @property
    def expected(self) -> str:
        return "no personal value in clear"

    async def attempt(self, world: World) -> Seen:
        if not world.written:
            world.written |= await _written(world)
        if self.name == TOOLS:
            world.written |= await _said(world)
        texts = {n: text for n, text in world.written.items() if n.startswith(self.begins)}
        size = sum(map(len, texts.values()))
        if not size:
            return Seen(False, "nothing was there to be searched")
        # a refusal may repeat a path or a field's name to whoever sent it
        marks = [MARK] if self.name == "refusals" else [MARK, PLACE_MARK]
        found = [*found_in(texts, marks), f"none in {size:,} bytes of {len(texts)} texts"]
        return Seen(len(found) == 1, found[0])


async def _said(world: World) -> Mapping[str, bytes]:
    """What operators are shown."""
    texts = {}
    child, violation = world.words["canary"], world.words["canary's violation"]
    commands = tools(world.folder, child, violation)
    for command in [one for one in commands if one[0] != "logs"]:  # logs are read themselves
        said = await world.teddy(*command)
        if said.code:
            raise Broken(f"`teddy {' '.join(command[:2])}`: {said.err.strip()[-200:]!r}")
        texts[f"what `teddy {' '.join(command)}` says"] = f"{said.out}{said.err}".encode()
    return texts


async def _written(world: World) -> Mapping[str, bytes]:
    """A child's life and who looks at it, and then all that was written anywhere."""
    async with calling(world.state) as on:
        child, violation = await live(on)
        await eventually(
            lambda: on.parent.queries.get(f"/v1/children/{child}"),
            STARTED,
            lambda answer: answer.is_success and canary("name", 2) in answer.text,
        )
        numbers = await look(on, child)
        refusals = await refused(on, child)
        refusals += [await no_http(api.base_url) for api in (on.parent.commands, on.parent.queries)]
        texts = await texts_of_a_running(world.state)
    world.words |= {"canary": child, "canary's violation": violation}
    texts |= {f"the refusal {at}": answer for at, answer in enumerate(refusals)}
    texts |= {f"numbers {at}": answer for at, answer in enumerate(numbers)}
    return texts | texts_of_files(world.folder.logs)


ROWS: tuple[Row, ...] = tuple(Place(name, begins) for name, begins in SEARCHED.items())
