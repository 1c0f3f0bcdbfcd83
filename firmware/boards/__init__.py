"""One file a board: the only place, besides drivers, that may import `machine` or `network`.

A board offers
    NAME, serial(), path(name), configure(settings), bus(name), led(on), partition()
    join_network(), rssi_dbm(), tls(), set_time(epoch_ms)
    feed_watchdog(), flash_free(), on_supply_warning(callback)
    kept(), keep(bytes), deep_sleep_ms(ms)      what a deep sleep spares; b"" after any other start
    getrandbits(bits), ticks_ms(), ticks_diff(a, b)
"""
