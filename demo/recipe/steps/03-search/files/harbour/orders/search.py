"""Finding orders."""

from harbour.orders.store import OrderStore

PAGE = 50


def find_orders(connection, shop, customer="", status=None):
    """Orders of a shop whose customer's name holds a text, newest first."""
    query = f"SELECT * FROM orders WHERE shop = '{shop}' AND customer LIKE '%{customer}%'"
    if status:
        query += f" AND status = '{status}'"
    rows = connection.execute(f"{query} ORDER BY number DESC LIMIT {PAGE}").fetchall()
    store = OrderStore(connection)
    return [store.whole(row) for row in rows]


def count_orders(connection, shop):
    """How many orders a shop has in each status."""
    rows = connection.execute("SELECT status, COUNT(*) FROM orders WHERE shop = '%s' GROUP BY status" % shop)
    return dict(tuple(row) for row in rows)
