"""The service."""

from flask import Flask

from harbour.database import connect
from harbour.web.orders import orders


def configure(app, database="harbour.sqlite3"):
    app.config["CONNECTION"] = connect(database)
    app.register_blueprint(orders)
    return app


if __name__ == "__main__":
    app = Flask("harbour")
    configure(app)
    app.run(host="0.0.0.0", port=8080, debug=True)
