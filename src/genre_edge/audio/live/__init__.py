"""Live sources: reconnection, threaded capture, the bounded queue and the invalid-sample filter."""
