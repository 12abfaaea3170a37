import unittest

from harbour.database import connect
from harbour.orders.export import export_orders
from harbour.orders.model import Order
from harbour.orders.store import OrderStore


class ExportTest(unittest.TestCase):
    def test_the_sheet_holds_one_row_per_order(self):
        connection = connect()
        self.addCleanup(connection.close)
        OrderStore(connection).add(Order("north", "Ida"))
        self.assertEqual(export_orders(connection, "north").splitlines(), ["number,customer,status", "1,Ida,open"])

    def test_an_unknown_order_is_refused(self):
        connection = connect()
        self.addCleanup(connection.close)
        with self.assertRaises(ValueError):
            export_orders(connection, "north", sort="number; DROP TABLE orders")


if __name__ == "__main__":
    unittest.main()
