"""The throttle for wrong tokens: limits for each address and overall, and its memory."""

import pytest

from genre_edge.station.http import token_throttle
from genre_edge.station.http.token_throttle import (
    BURST,
    BURST_PER_ADDRESS,
    INTERVAL_PER_ADDRESS_S,
    MAX_ADDRESSES,
    TokenThrottle,
)


class FakeClock:
    """Stands for the module `time`."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that only the test advances."""
    clock = FakeClock()
    monkeypatch.setattr(token_throttle, "time", clock)
    return clock


def guess(throttle: TokenThrottle, address: str, n: int) -> int:
    """Try `n` wrong tokens; return how many were compared."""
    n_compared = 0
    for _ in range(n):
        if not throttle.wait_s(address):
            throttle.record_wrong(address)
            n_compared += 1
    return n_compared


def test_limit_per_address(clock: FakeClock) -> None:
    """An address has a burst of attempts, then one in each interval; others are not affected."""
    throttle = TokenThrottle()
    assert guess(throttle, "192.0.2.1", 50) == BURST_PER_ADDRESS
    assert throttle.wait_s("192.0.2.2") == 0
    assert throttle.wait_s("192.0.2.1") == INTERVAL_PER_ADDRESS_S
    for _ in range(5):
        clock.now_s += INTERVAL_PER_ADDRESS_S
        assert guess(throttle, "192.0.2.1", 50) == 1
    assert throttle.wrong == BURST_PER_ADDRESS + 5


def test_overall_limit(clock: FakeClock) -> None:
    """Many addresses together have a limit that spares addresses which have sent the right token."""
    throttle = TokenThrottle()
    throttle.record_right("198.51.100.1")
    assert sum(guess(throttle, f"192.0.2.{i}", 5) for i in range(100)) == BURST
    assert throttle.wait_s("192.0.2.200") > 0 and throttle.wait_s("198.51.100.1") == 0


def test_right_token_resets_address(clock: FakeClock) -> None:
    """The right token forgets an address's wrong ones, so that a corrected client is not refused later."""
    throttle = TokenThrottle()
    for _ in range(5):
        assert guess(throttle, "192.0.2.1", BURST_PER_ADDRESS - 1) == BURST_PER_ADDRESS - 1
        throttle.record_right("192.0.2.1")


def test_ipv6_network_is_one_address(clock: FakeClock) -> None:
    """A client owns a whole /64; an IPv4 client on an IPv6 socket is its IPv4 address."""
    throttle = TokenThrottle()
    assert sum(guess(throttle, f"2001:db8::{i:x}", 1) for i in range(30)) == BURST_PER_ADDRESS
    assert throttle.wait_s("2001:db8:0:1::1") == 0
    assert guess(throttle, "::ffff:192.0.2.1", 30) == BURST_PER_ADDRESS and throttle.wait_s("192.0.2.1") > 0


def test_memory_is_bounded(clock: FakeClock) -> None:
    """The number of remembered addresses is bounded."""
    throttle = TokenThrottle()
    for i in range(2 * MAX_ADDRESSES):
        address = f"10.1.{i // 256}.{i % 256}"
        throttle.record_wrong(address)
        throttle.record_right(f"10.2.{i // 256}.{i % 256}")
    assert len(throttle._addresses) == len(throttle._trusted) == MAX_ADDRESSES
