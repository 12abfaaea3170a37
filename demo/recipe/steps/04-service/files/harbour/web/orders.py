"""Orders over HTTP."""

from dataclasses import asdict

from flask import Blueprint, abort, current_app, jsonify, request

from harbour.orders.model import Line, Order
from harbour.orders.search import count_orders, find_orders
from harbour.orders.store import OrderStore

orders = Blueprint("orders", __name__, url_prefix="/shops/<shop>/orders")


def connection():
    return current_app.config["CONNECTION"]


def as_json(order):
    return asdict(order) | {"total": order.total()}


@orders.get("/")
def search(shop):
    found = find_orders(connection(), shop, request.args.get("customer", ""), request.args.get("status"))
    return jsonify(orders=[as_json(order) for order in found], counts=count_orders(connection(), shop))


@orders.get("/<int:number>")
def show(shop, number):
    order = OrderStore(connection()).get(shop, number)
    return jsonify(as_json(order)) if order else abort(404)


@orders.post("/")
def add(shop):
    body = request.get_json()
    lines = tuple(Line(line["article"], int(line["count"]), int(line["price"]), int(line.get("weight", 0))) for line in body["lines"])
    return jsonify(as_json(OrderStore(connection()).add(Order(shop, body["customer"], lines)))), 201
