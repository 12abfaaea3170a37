import unittest

from harbour.settings import load


class SettingsTest(unittest.TestCase):
    def test_the_shipped_settings_load(self):
        settings = load()
        self.assertEqual(settings.port, 8080)
        self.assertTrue(settings.carrier_url.startswith("https://"))
        self.assertTrue(settings.mail_password)


if __name__ == "__main__":
    unittest.main()
