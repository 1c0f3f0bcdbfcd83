"""One file a sensor: COLUMNS, a pure decode(raw), and `async read(bus)`. Values are scaled integers.

What a driver may say besides (drivers/instrument.py keeps to it):
    OPTIONS     what its entry in settings.json may set: {name: default}, None for what must be given. decode()
                and read() then take a dict of these as a second argument.
    WARM_UP_MS  for so long after power-up its values mean nothing
    wake(bus), rest(bus)    coroutines that switch laser, fan or heater on and off
    attach(bus) for a sensor that must be listened to all the time: read() gets what it returns as its bus
    compensated(values, centidegrees)    corrects the values by a temperature

Buses are MicroPython's own: UART, I2C, onewire.OneWire, ADC, Pin.
"""
