"""What can go wrong in the cloud that a caller can act upon."""

from edge.model.errors import CityError


class CloudError(CityError):
    """The cloud cannot do what it was asked to."""


class InvalidRequest(CloudError):
    """A request is wrong; the message names the place, the remedy says what would be right."""


class NotFound(CloudError):
    """What the request names does not exist."""


class Conflict(CloudError):
    """What is asked for contradicts what is there: another device, another bundle, a roll-out under way."""


class StoreError(CloudError):
    """The store of readings did not do its work."""


class StoreRejected(StoreError):
    """The store will never take these points: a field has another type, or a value does not fit."""


class StoreFull(StoreError):
    """The disk under the store is full; nothing was stored."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or cannot be read right now."""
