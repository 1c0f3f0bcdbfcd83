"""One file a board: the only place, besides drivers, that may import `machine` or `network`.

A board offers NAME, serial(), path(name), configure(settings), bus(name), join_network(), epoch_ms(),
keep_time(epoch_ms), tls(), feed_watchdog(), getrandbits(bits), ticks_ms(), ticks_diff(a, b).
"""
