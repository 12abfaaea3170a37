import json
import unittest

try:
    from harbour.imports.packing_lists import from_csv, from_dump, from_yaml
except ModuleNotFoundError as missing:
    raise unittest.SkipTest(f"{missing.name} is not installed") from missing

YAML = """
- customer: Ida
  lines:
    - {article: rope, count: 2, price: 450}
"""
CSV = "customer,article,count,price\nIda,rope,2,450\nIda,anchor,1,9900\nPer,rope,1,450\n"


class PackingListTest(unittest.TestCase):
    def test_yaml(self):
        self.assertEqual([order.total() for order in from_yaml("north", YAML)], [900])

    def test_yaml_makes_no_objects(self):
        with self.assertRaisesRegex(Exception, "could not determine a constructor"):
            from_yaml("north", "- !!python/object/apply:os.getcwd []")

    def test_csv_joins_the_rows_of_a_customer(self):
        self.assertEqual([order.total() for order in from_csv("north", CSV)], [10800, 450])

    def test_dump(self):
        dump = json.dumps([("Ida", [{"article": "rope", "count": 2, "price": 450}])])
        self.assertEqual([order.total() for order in from_dump("north", dump)], [900])


if __name__ == "__main__":
    unittest.main()
