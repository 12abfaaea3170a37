import unittest

try:
    from flask import Flask

    from harbour.app import configure
except ModuleNotFoundError as missing:
    raise unittest.SkipTest(f"{missing.name} is not installed") from missing


class WebTest(unittest.TestCase):
    def setUp(self):
        self.app = configure(Flask("harbour"), ":memory:")
        self.addCleanup(self.app.config["CONNECTION"].close)
        self.client = self.app.test_client()

    def test_an_order_can_be_added_shown_and_found(self):
        body = {"customer": "Ida", "lines": [{"article": "rope", "count": 2, "price": 450}]}
        added = self.client.post("/shops/north/orders/", json=body)
        self.assertEqual((added.status_code, added.json["total"]), (201, 900))
        self.assertEqual(self.client.get("/shops/north/orders/1").json["customer"], "Ida")
        self.assertEqual(self.client.get("/shops/north/orders/?customer=Id").json["counts"], {"open": 1})

    def test_an_unknown_order_is_not_found(self):
        self.assertEqual(self.client.get("/shops/north/orders/7").status_code, 404)


if __name__ == "__main__":
    unittest.main()
