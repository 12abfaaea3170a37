"""Orders in the database."""

from harbour.orders.model import Line, Order, Status


class OrderStore:
    def __init__(self, connection):
        self.connection = connection

    def add(self, order):
        """Write an order and return it with its number."""
        with self.connection:
            cursor = self.connection.execute(
                "INSERT INTO orders (shop, customer, status) VALUES (?, ?, ?)", (order.shop, order.customer, order.status)
            )
            number = cursor.lastrowid
            self.connection.executemany(
                "INSERT INTO lines VALUES (?, ?, ?, ?, ?)",
                [(number, line.article, line.count, line.price, line.weight) for line in order.lines],
            )
        return Order(order.shop, order.customer, order.lines, order.status, number)

    def get(self, shop, number):
        """One order of a shop, or None."""
        row = self.connection.execute("SELECT * FROM orders WHERE shop = ? AND number = ?", (shop, number)).fetchone()
        return self.whole(row) if row else None

    def mark(self, shop, number, status):
        with self.connection:
            self.connection.execute("UPDATE orders SET status = ? WHERE shop = ? AND number = ?", (Status(status), shop, number))

    def whole(self, row):
        """An order from its row, with its lines."""
        lines = self.connection.execute("SELECT article, count, price, weight FROM lines WHERE number = ?", (row["number"],))
        return Order(row["shop"], row["customer"], tuple(Line(*line) for line in lines), Status(row["status"]), row["number"])
