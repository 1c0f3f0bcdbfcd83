"""An acknowledgement as a gateway writes it: a node only reads them."""

from cityneuron.pack import VERSION


def write_ack(writer, boot, upto, again):
    """Write `[1, boot, upto, [[first, last], ...]]`."""
    writer.clear()
    writer.array(4)
    writer.integer(VERSION)
    writer.integer(boot)
    writer.integer(upto)
    writer.array(len(again))
    for first, last in again:
        writer.array(2)
        writer.integer(first)
        writer.integer(last)
