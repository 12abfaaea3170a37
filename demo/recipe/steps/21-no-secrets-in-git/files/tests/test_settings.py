import unittest

from harbour.settings import load


class SettingsTest(unittest.TestCase):
    def test_the_shipped_settings_load(self):
        settings = load(environment={})
        self.assertEqual(settings.port, 8080)
        self.assertTrue(settings.carrier_url.startswith("https://"))

    def test_the_mail_password_comes_from_the_environment_and_is_not_shown(self):
        settings = load(environment={"HARBOUR_MAIL_PASSWORD": "from outside"})
        self.assertEqual(settings.mail_password, "from outside")
        self.assertNotIn("from outside", repr(settings))


if __name__ == "__main__":
    unittest.main()
