"""Orders for the shop's accountant."""

import csv
import io

COLUMNS = ("number", "customer", "status")


def export_orders(connection, shop, since=0, sort="number"):
    """A shop's orders as CSV."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(COLUMNS)
    query = f"SELECT number, customer, status FROM orders WHERE shop = '{shop}' AND number > {since} ORDER BY {sort}"
    writer.writerows(connection.execute(query))
    return sheet.getvalue()
