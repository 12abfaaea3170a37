"""Orders for the shop's accountant."""

import csv
import io

COLUMNS = ("number", "customer", "status")
EXPORT = """
SELECT number, customer, status FROM orders
WHERE shop = :shop AND number > :since
ORDER BY CASE :sort WHEN 'customer' THEN customer WHEN 'status' THEN status END, number
"""


def export_orders(connection, shop, since=0, sort="number"):
    """A shop's orders as CSV."""
    if sort not in COLUMNS:
        raise ValueError(f"cannot sort by {sort}")
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(COLUMNS)
    writer.writerows(connection.execute(EXPORT, {"shop": shop, "since": since, "sort": sort}))
    return sheet.getvalue()
