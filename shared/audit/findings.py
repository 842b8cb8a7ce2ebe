"""What a verification found: places, named, and what is wrong there."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Report:
    """`counted`: what was looked at. `notes`: what no proof covers, which is no finding."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    def found(self, where: str, what: str) -> None:
        self.findings.append(Finding(where, what))

    def count(self, what: str, more: int = 1) -> None:
        self.counted[what] = self.counted.get(what, 0) + more
