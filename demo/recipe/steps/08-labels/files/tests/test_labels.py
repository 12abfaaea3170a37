import unittest

from harbour.orders.model import Order
from harbour.shipping.labels import label_text, print_label


class LabelTest(unittest.TestCase):
    def test_a_label_names_customer_order_and_parcel(self):
        self.assertEqual(label_text(Order("north", "Ida", number=7), "T-1"), "Ida\nnorth-7\nT-1")

    def test_printing_hands_the_label_to_the_printer(self):
        print_label(Order("north", "Ida", number=7), "T-1", printer="true")


if __name__ == "__main__":
    unittest.main()
