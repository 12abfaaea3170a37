import sys
import tempfile
import unittest
from pathlib import Path

from harbour.orders.model import Order
from harbour.parcels.labels import label_text, print_label


class LabelTest(unittest.TestCase):
    def test_a_label_names_customer_order_and_parcel(self):
        self.assertEqual(label_text(Order("north", "Ida", number=7), "T-1"), "Ida\nnorth-7\nT-1")

    def test_printing_hands_the_label_to_the_printer(self):
        with tempfile.TemporaryDirectory() as folder:
            printed, printer = Path(folder, "printed"), Path(folder, "printer")
            printer.write_text(f"#!{sys.executable}\nimport sys\nopen({str(printed)!r}, 'w').write(sys.stdin.read())\n")
            printer.chmod(0o700)
            print_label(Order("north", "Ida'; rm -rf /", number=7), "T-1", printer=str(printer))
            self.assertEqual(printed.read_text(), "Ida'; rm -rf /\nnorth-7\nT-1")


if __name__ == "__main__":
    unittest.main()
