"""The stores of readings, by kind; adding one costs a file, a line here and the contract tests."""

from collections.abc import Callable

from cloud.config import CloudConfig
from cloud.stores.embedded import EmbeddedStore
from cloud.stores.influxql import InfluxQLStore
from cloud.stores.protocol import Store


def _embedded(config: CloudConfig) -> Store:
    return EmbeddedStore(config.store_path, timezone=config.timezone)


def _influxql(config: CloudConfig) -> Store:
    store = config.store
    return InfluxQLStore(
        store.url, store.database, timezone=config.timezone, username=store.username, secret=store.secret
    )


STORES: dict[str, Callable[[CloudConfig], Store]] = {
    "embedded": _embedded,
    "influxql": _influxql,
}
"""Factories by the `kind` of StoreConfig."""
