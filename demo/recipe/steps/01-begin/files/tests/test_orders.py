import unittest

from harbour.orders.model import Line, Order


class OrderTest(unittest.TestCase):
    def test_total_is_the_sum_of_its_lines(self):
        order = Order("north", "Ida", (Line("rope", 3, 450), Line("anchor", 1, 9900)))
        self.assertEqual(order.total(), 3 * 450 + 9900)

    def test_weight_counts_every_piece(self):
        self.assertEqual(Order("north", "Ida", (Line("rope", 3, 450, 200),)).weight(), 600)


if __name__ == "__main__":
    unittest.main()
