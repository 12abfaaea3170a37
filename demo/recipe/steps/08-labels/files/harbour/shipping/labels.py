"""Labels for parcels."""

import subprocess
from pathlib import Path

FOLDER = Path("labels")


def label_text(order, tracking):
    return f"{order.customer}\n{order.shop}-{order.number}\n{tracking}"


def print_label(order, tracking, printer="lp"):
    """Send an order's label to the printer."""
    subprocess.run(f"echo '{label_text(order, tracking)}' | {printer} -t '{order.customer}'", shell=True, check=True)


def clean_labels(pattern="*.pbm"):
    """Remove bitmaps that were left behind."""
    subprocess.call("rm -f %s/%s" % (FOLDER, pattern), shell=True)
