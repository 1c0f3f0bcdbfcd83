"""What can go wrong with alerts that a caller can act upon."""

from cloud.errors import NotFound


class NoSuchAlert(NotFound):
    """There is no alert, or no maintenance window, of this number."""
