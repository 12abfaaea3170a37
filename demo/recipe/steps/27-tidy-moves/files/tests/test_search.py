import unittest

from harbour.database import connect
from harbour.orders.model import Order, Status
from harbour.orders.finding import count_orders, find_orders
from harbour.orders.store import OrderStore


class SearchTest(unittest.TestCase):
    def setUp(self):
        self.connection = connect()
        self.addCleanup(self.connection.close)
        store = OrderStore(self.connection)
        for customer in ("Ida Berg", "Per Holm", "Ida Lund"):
            store.add(Order("north", customer))
        store.mark("north", 1, "packed")

    def test_finds_by_part_of_the_name_newest_first(self):
        self.assertEqual([order.customer for order in find_orders(self.connection, "north", "Ida")], ["Ida Lund", "Ida Berg"])

    def test_finds_by_status(self):
        self.assertEqual([order.number for order in find_orders(self.connection, "north", status="packed")], [1])

    def test_counts_by_status(self):
        self.assertEqual(count_orders(self.connection, "north"), {Status.OPEN: 2, Status.PACKED: 1})

    def test_a_quote_is_a_letter_like_any_other(self):
        self.assertEqual(find_orders(self.connection, "north", "O'Brien"), [])
        self.assertEqual(find_orders(self.connection, "' OR 1=1 --"), [])


if __name__ == "__main__":
    unittest.main()
