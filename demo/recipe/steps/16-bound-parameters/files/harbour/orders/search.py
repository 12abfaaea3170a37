"""Finding orders."""

from harbour.orders.store import OrderStore

PAGE = 50
FIND = """
SELECT * FROM orders
WHERE shop = :shop AND instr(customer, :customer) AND (:status IS NULL OR status = :status)
ORDER BY number DESC LIMIT :page
"""


def find_orders(connection, shop, customer="", status=None):
    """Orders of a shop whose customer's name holds a text, newest first."""
    words = {"shop": shop, "customer": customer, "status": status or None, "page": PAGE}
    store = OrderStore(connection)
    return [store.whole(row) for row in connection.execute(FIND, words).fetchall()]


def count_orders(connection, shop):
    """How many orders a shop has in each status."""
    rows = connection.execute("SELECT status, COUNT(*) FROM orders WHERE shop = ? GROUP BY status", (shop,))
    return dict(tuple(row) for row in rows)
