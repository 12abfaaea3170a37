"""What an order is. Money is in cents, weight in grams."""

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    OPEN = "open"
    PACKED = "packed"
    SHIPPED = "shipped"
    RETURNED = "returned"


@dataclass(frozen=True)
class Line:
    article: str
    count: int
    price: int
    weight: int = 0

    def total(self):
        return self.count * self.price


@dataclass(frozen=True)
class Order:
    shop: str
    customer: str
    lines: tuple = field(default_factory=tuple)
    status: Status = Status.OPEN
    number: int | None = None

    def total(self):
        return sum(line.total() for line in self.lines)

    def weight(self):
        return sum(line.count * line.weight for line in self.lines)
