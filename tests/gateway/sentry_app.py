"""An application with Sentry's SDK as it comes: `sentry_app.py DSN`. Prints the event's id."""

import sys

import sentry_sdk


class PaymentError(Exception):
    """Of a library of somebody's."""


def connect() -> None:
    raise ConnectionResetError("reset by 10.0.0.7, password=hunter2hunter2")


def fail() -> None:
    try:
        connect()
    except ConnectionResetError as exc:
        raise PaymentError("card 4111 1111 1111 1111 was not charged") from exc


def main(dsn: str) -> None:
    sentry_sdk.init(
        dsn=dsn,
        release="2.4.1",
        environment="staging",
        server_name="till-1",
        traces_sample_rate=1.0,
        auto_session_tracking=True,
    )
    with sentry_sdk.start_transaction(op="task", name="charge"):
        sentry_sdk.set_tag("shard", "7")
        sentry_sdk.set_user({"id": "u-1", "email": "ann@example.org"})
        sentry_sdk.add_breadcrumb(message="token=0123456789abcdef")
        try:
            fail()
        except PaymentError as exc:
            print(sentry_sdk.capture_exception(exc))
    sentry_sdk.capture_message("nothing to see here")
    sentry_sdk.capture_message("the disk is full", level="fatal")
    sentry_sdk.flush(5)


if __name__ == "__main__":
    main(*sys.argv[1:])
