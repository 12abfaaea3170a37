import unittest

from harbour.accounts.passwords import hash_password, verify_password
from harbour.accounts.sessions import LIFETIME, Sessions


class PasswordTest(unittest.TestCase):
    def test_the_right_password_verifies_and_a_wrong_one_does_not(self):
        stored = hash_password("low tide")
        self.assertTrue(verify_password("low tide", stored))
        self.assertFalse(verify_password("high tide", stored))


class SessionTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        self.sessions = Sessions(lambda: self.now)

    def test_a_session_ends_by_itself(self):
        token = self.sessions.start("north")
        self.assertEqual(self.sessions.shop_of(token), "north")
        self.now += LIFETIME
        self.assertIsNone(self.sessions.shop_of(token))

    def test_a_session_ends_when_the_shop_logs_out(self):
        token = self.sessions.start("north")
        self.sessions.end(token)
        self.assertIsNone(self.sessions.shop_of(token))


if __name__ == "__main__":
    unittest.main()
