"""`TokenThrottle`: bounds how many wrong tokens clients can try, for each address and overall."""

import logging
import math
import time
from collections import OrderedDict

from genre_edge.station.http.client_network import client_network
from genre_edge.system.log_limit import limit_log

log = logging.getLogger("genre_edge.tokens")

BURST_PER_ADDRESS = 10  # wrong tokens in a row
INTERVAL_PER_ADDRESS_S = 6.0  # after which an address may try another one
BURST = 100  # of all addresses together
INTERVAL_S = 1.0
MAX_ADDRESSES = 1024  # in memory; the least recent are forgotten


class _Budget:
    """Token bucket: `burst` attempts, and one more after each `interval_s`."""

    def __init__(self, burst: int, interval_s: float) -> None:
        self._burst, self._interval_s = burst, interval_s
        self._full_s = float("-inf")  # clock at which all attempts are available again

    def spend(self, now: float) -> None:
        self._full_s = max(self._full_s, now) + self._interval_s

    def wait_s(self, now: float) -> float:
        """Return the seconds until the next attempt; 0 if one is available."""
        return max(0.0, self._full_s - now - (self._burst - 1) * self._interval_s)


class TokenThrottle:
    """Throttle for wrong tokens. While it refuses an address, tokens of that address are not compared.

    The overall limit spares addresses that have sent the right token, so that many guessing clients do not lock them
    out. Used by the web server's thread only.

    Attributes:
        wrong: number of wrong tokens so far.
        refused: number of requests whose token was not compared.
    """

    def __init__(self) -> None:
        limit_log(log.name)
        self.wrong = self.refused = 0
        self._overall = _Budget(BURST, INTERVAL_S)
        self._addresses: OrderedDict[str, _Budget] = OrderedDict()  # with recent wrong tokens
        self._trusted: OrderedDict[str, None] = OrderedDict()  # that have sent the right token

    def wait_s(self, address: str | None) -> int:
        """Return for how many seconds to refuse the tokens of an address, and count the refusal; 0 to compare them."""
        key, now = client_network(address), time.monotonic()
        budget = self._addresses.get(key)
        wait_s = budget.wait_s(now) if budget else 0.0
        if key not in self._trusted:
            wait_s = max(wait_s, self._overall.wait_s(now))
        self.refused += wait_s > 0
        return math.ceil(wait_s)

    def record_wrong(self, address: str | None) -> None:
        """Count and log a wrong token."""
        key, now = client_network(address), time.monotonic()
        self.wrong += 1
        log.warning("wrong token from %s", address)
        budget = self._addresses.setdefault(key, _Budget(BURST_PER_ADDRESS, INTERVAL_PER_ADDRESS_S))
        budget.spend(now)
        self._overall.spend(now)
        _touch(self._addresses, key)

    def record_right(self, address: str | None) -> None:
        """Forget the wrong tokens of an address."""
        key = client_network(address)
        self._addresses.pop(key, None)
        self._trusted[key] = None
        _touch(self._trusted, key)


def _touch(table: "OrderedDict[str, _Budget] | OrderedDict[str, None]", key: str) -> None:
    """Make `key` the most recent of at most `MAX_ADDRESSES`."""
    table.move_to_end(key)
    if len(table) > MAX_ADDRESSES:
        table.popitem(last=False)
