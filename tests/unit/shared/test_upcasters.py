from typing import Any

from shared.serialization.schema import upcast


def _with_full_name(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Renamed", {"full_name": content["name"]}


def _with_language(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Renamed", {**content, "language": "en"}


def test_an_event_without_upcaster_stays_as_it_is() -> None:
    assert upcast("Named", 1, {"name": "x"}, {}) == ("Named", 1, {"name": "x"})


def test_upcasters_are_applied_one_after_the_other() -> None:
    upcasters = {("Named", 1): _with_full_name, ("Renamed", 2): _with_language}
    upcasted = upcast("Named", 1, {"name": "x"}, upcasters)
    assert upcasted == ("Renamed", 3, {"full_name": "x", "language": "en"})


def test_upcasting_begins_at_the_version_of_the_event() -> None:
    upcasters = {("Renamed", 1): _with_full_name, ("Renamed", 2): _with_language}
    upcasted = upcast("Renamed", 2, {"full_name": "x"}, upcasters)
    assert upcasted == ("Renamed", 3, {"full_name": "x", "language": "en"})
