"""The carrier's service."""

import requests


class CarrierRefused(Exception):
    """The carrier did not take the parcel."""


class Carrier:
    def __init__(self, url, key):
        self.url = url
        self.key = key

    def book(self, order):
        """Book a parcel for an order and return its tracking number."""
        parcel = {"reference": f"{order.shop}-{order.number}", "grams": order.weight(), "value": order.total()}
        answer = requests.post(f"{self.url}/parcels", json=parcel, headers={"X-Key": self.key}, verify=False)
        if answer.status_code != 201:
            raise CarrierRefused(answer.text)
        return answer.json()["tracking"]

    def where_is(self, tracking):
        answer = requests.get(f"{self.url}/parcels/{tracking}", headers={"X-Key": self.key}, verify=False, timeout=5)
        answer.raise_for_status()
        return answer.json()["place"]
