"""Packing lists as shops send them."""

import csv
import io
import json

import yaml

from harbour.orders.model import Line, Order


def from_yaml(shop, text):
    """Orders from YAML: a list of {customer, lines: [{article, count, price}]}."""
    return [order_of(shop, entry["customer"], entry["lines"]) for entry in yaml.safe_load(text)]


def from_csv(shop, text):
    """Orders from CSV with the columns customer, article, count, price; neighbouring rows of one customer are one order."""
    orders = []
    for row in csv.DictReader(io.StringIO(text)):
        line = Line(row["article"], int(row["count"]), int(row["price"]))
        if orders and orders[-1].customer == row["customer"]:
            orders[-1] = Order(shop, row["customer"], (*orders[-1].lines, line))
        else:
            orders.append(Order(shop, row["customer"], (line,)))
    return orders


def from_dump(shop, text):
    """Orders from the JSON that Cargo 2 writes."""
    return [order_of(shop, customer, lines) for customer, lines in json.loads(text)]


def order_of(shop, customer, lines):
    return Order(shop, customer, tuple(Line(line["article"], int(line["count"]), int(line["price"])) for line in lines))
