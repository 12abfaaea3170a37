"""Parcels that come back."""

from datetime import timedelta

from harbour.orders.model import Status

WINDOW = timedelta(days=30)


class ReturnRefused(Exception):
    """The order cannot be returned; the message says why."""


def take_back(store, shop, number, *, shipped_on, today):
    """Mark a shipped order as returned."""
    order = store.get(shop, number)
    if order is None or order.status is not Status.SHIPPED:
        raise ReturnRefused("there is no such shipped order")
    if today - shipped_on > WINDOW:
        raise ReturnRefused(f"it was shipped more than {WINDOW.days} days ago")
    store.mark(shop, number, Status.RETURNED)
    return store.get(shop, number)
