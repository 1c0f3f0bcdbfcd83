"""`ssl` of a board; the unix port has its content under the name of `tls`."""

from tls import *  # noqa: F403
