"""The requests adapter whose connections keep to the time of a try and never repeat anything."""

from __future__ import annotations

from typing import Any, Final

from requests.adapters import HTTPAdapter

from finetune_client.transport.connections.connection import POOL_CLASSES

__all__ = ["Adapter"]

_POOL_SIZE: Final = 32


class Adapter(HTTPAdapter):
    """An adapter over our own connections.

    It does not override ``send``, so that test tools which replace `HTTPAdapter.send` work.
    """

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = POOL_CLASSES
        return manager

    def close(self) -> None:
        """Close the connections at once; urllib3 2 would wait until nothing holds a pool."""
        managers = [self.poolmanager, *self.proxy_manager.values()]
        pools = [manager.pools.get(key) for manager in managers for key in manager.pools.keys()]  # noqa: SIM118  # it cannot be iterated over
        super().close()
        for pool in pools:
            if pool is not None:
                pool.close()
