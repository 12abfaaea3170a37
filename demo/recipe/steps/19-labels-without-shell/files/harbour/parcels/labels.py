"""Labels for parcels."""

import subprocess
from pathlib import Path

FOLDER = Path("labels")


def label_text(order, tracking):
    return f"{order.customer}\n{order.shop}-{order.number}\n{tracking}"


def print_label(order, tracking, printer="/usr/bin/lp"):
    """Send an order's label to the printer."""
    title = f"{order.shop}-{order.number}"
    subprocess.run([printer, "-t", title], input=label_text(order, tracking), text=True, check=True)


def clean_labels(pattern="*.pbm"):
    """Remove bitmaps that were left behind."""
    for bitmap in FOLDER.glob(pattern):
        bitmap.unlink()
