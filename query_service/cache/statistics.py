"""What a cache tells of itself."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counts are since the start of the process."""

    size: Annotated[
        int,
        Field(
            description="Answers kept now; also those whose life has ended, until they are asked "
            "for or make room."
        ),
    ]
    max_size: Annotated[int, Field(description="Most answers that are kept.")]
    bytes: Annotated[
        int, Field(description="What they take, keys and tags estimated with their bodies.")
    ]
    max_bytes: Annotated[int, Field(description="Most bytes that they may take.")]
    keeping: Annotated[
        bool,
        Field(description="Whether changes are heard of, so that answers live out their life."),
    ]
    hits: Annotated[int, Field(description="Questions that were answered from here.")]
    misses: Annotated[int, Field(description="Questions that were not.")]
    hit_rate: Annotated[float, Field(description="Hits by hits and misses, 0 to 1.")]
    shared: Annotated[int, Field(description="Misses that waited for another's load.")]
    loading: Annotated[int, Field(description="Loads under way now.")]
    evictions: Annotated[int, Field(description="Answers that made room for others.")]
    evictions_by_bytes: Annotated[
        int, Field(description="Of them, those that were in the way of bytes, not of entries.")
    ]
    too_large: Annotated[
        int, Field(description="Answers that were not kept: over a hundredth of all bytes.")
    ]
    expirations: Annotated[int, Field(description="Answers whose life had ended.")]
    invalidations: Annotated[int, Field(description="Answers that were dropped by a change.")]
