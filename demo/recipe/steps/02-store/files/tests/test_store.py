import unittest

from harbour.database import connect
from harbour.orders.model import Line, Order, Status
from harbour.orders.store import OrderStore


class OrderStoreTest(unittest.TestCase):
    def setUp(self):
        self.connection = connect()
        self.addCleanup(self.connection.close)
        self.store = OrderStore(self.connection)

    def test_an_order_comes_back_as_it_went_in(self):
        order = self.store.add(Order("north", "Ida", (Line("rope", 3, 450, 200),)))
        self.assertEqual(self.store.get("north", order.number), order)

    def test_a_shop_cannot_see_the_orders_of_another(self):
        order = self.store.add(Order("north", "Ida"))
        self.assertIsNone(self.store.get("south", order.number))

    def test_marking_changes_the_status(self):
        order = self.store.add(Order("north", "Ida"))
        self.store.mark("north", order.number, "packed")
        self.assertEqual(self.store.get("north", order.number).status, Status.PACKED)


if __name__ == "__main__":
    unittest.main()
