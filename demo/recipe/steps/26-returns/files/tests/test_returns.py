import unittest
from datetime import date

from harbour.database import connect
from harbour.orders.model import Order, Status
from harbour.orders.returns import ReturnRefused, take_back
from harbour.orders.store import OrderStore

SHIPPED = date(2026, 5, 1)


class ReturnTest(unittest.TestCase):
    def setUp(self):
        connection = connect()
        self.addCleanup(connection.close)
        self.store = OrderStore(connection)
        self.number = self.store.add(Order("north", "Ida", status=Status.SHIPPED)).number

    def test_a_shipped_order_is_taken_back(self):
        order = take_back(self.store, "north", self.number, shipped_on=SHIPPED, today=date(2026, 5, 31))
        self.assertEqual(order.status, Status.RETURNED)

    def test_after_thirty_days_it_is_not(self):
        with self.assertRaises(ReturnRefused):
            take_back(self.store, "north", self.number, shipped_on=SHIPPED, today=date(2026, 6, 1))

    def test_only_what_was_shipped_can_come_back(self):
        self.store.mark("north", self.number, Status.OPEN)
        with self.assertRaises(ReturnRefused):
            take_back(self.store, "north", self.number, shipped_on=SHIPPED, today=SHIPPED)


if __name__ == "__main__":
    unittest.main()
