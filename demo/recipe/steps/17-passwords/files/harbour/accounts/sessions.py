"""Who is logged in."""

import secrets
import time

LIFETIME = 12 * 60 * 60


class Sessions:
    def __init__(self, clock=time.time):
        self.clock = clock
        self.open = {}

    def start(self, shop):
        token = secrets.token_urlsafe(24)
        self.open[token] = (shop, self.clock() + LIFETIME)
        return token

    def shop_of(self, token):
        """The shop that a token belongs to, or None when there is none or it has ended."""
        shop, end = self.open.get(token, (None, 0))
        return shop if self.clock() < end else None

    def end(self, token):
        self.open.pop(token, None)
