"""Bounds of query parameters, in the schema and in refusals: both bounds at once, as the domain
tells them. Pydantic's own know of one at a time."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from shared.field_wording import refused


@dataclass(frozen=True, slots=True)
class _Bounds:
    """`schema_names`: of the two bounds in a JSON schema."""

    schema_names: ClassVar[tuple[str, str]]

    minimum: int
    maximum: int

    def __get_pydantic_core_schema__(self, kind: Any, inner: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, inner(kind))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, inner: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        lowest, highest = self.schema_names
        return inner(schema) | {lowest: self.minimum, highest: self.maximum}

    def checked(self, value: Any) -> Any:
        """Raises PydanticCustomError."""
        raise NotImplementedError


class Between(_Bounds):
    """Of an integer: `Annotated[int, Between(1, 100)]`, both included."""

    __slots__ = ()
    schema_names = ("minimum", "maximum")

    def checked(self, value: int) -> int:
        if not self.minimum <= value <= self.maximum:
            limit = f"{self.minimum}..{self.maximum}"
            raise refused(f"must be between {self.minimum} and {self.maximum}", limit)
        return value


class Characters(_Bounds):
    """Of a text: `Annotated[str, Characters(1, 128)]`, both included."""

    __slots__ = ()
    schema_names = ("minLength", "maxLength")

    def checked(self, value: str) -> str:
        if not self.minimum <= len(value) <= self.maximum:
            limit = f"{self.minimum}..{self.maximum} characters"
            raise refused(f"must have {self.minimum} to {self.maximum} characters", limit)
        return value
