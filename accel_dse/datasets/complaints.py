"""What was wrong with other people's records: counted and named, never silently dropped."""

from dataclasses import dataclass, field

MOST = 20
"""Examples that are kept."""


@dataclass
class Complaints:
    """Records that could not be used: how many, and the first few by place and reason."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Takes in one."""
        self.count += 1
        if len(self.examples) < MOST:
            self.examples.append(example)
