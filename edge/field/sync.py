"""What was done without a link reaches the cloud: one board after the other, as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass

from edge.field.cloud import CloudApi
from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.identity import request
from edge.field.offline import OfflineBundle, Taken

_OF_ONE_BOARD = (Symptom.ID_TAKEN, Symptom.CLOUD_REFUSED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """The boards that the cloud knows of now, and those that it refused, each with the reason."""

    taken: list[Taken]
    refused: list[tuple[Taken, FieldError]]


async def tell_cloud(bundle: OfflineBundle, api: CloudApi) -> Synced:
    """Register what waits, with the keys of the bundle: a node keeps its certificate. Raises FieldError.

    What the cloud refuses of one board keeps no other waiting, and is asked again next time.
    """
    done = Synced(taken=[], refused=[])
    for row in bundle.taken().values():
        if row.synced:
            continue
        csr = request(bundle.key(row.node), row.node)
        try:
            await api.provision({**row.registration, "csr": csr})
        except FieldError as error:
            if error.symptom not in _OF_ONE_BOARD:
                raise
            done.refused.append((row, _told(bundle, row, error)))
        else:
            if row.note:
                await api.note(row.node, row.registration["who"], row.note)
            bundle.synced(row)
            done.taken.append(row)
    return done


def _told(bundle: OfflineBundle, row: Taken, error: FieldError) -> FieldError:
    """Return a refusal with what helps after the fact; who must not have its identity will get another."""
    if error.symptom is not Symptom.ID_TAKEN:
        return error
    bundle.refused(row)
    return diagnose(Symptom.BOARD_REFUSED, said=error.cause, node=row.node)
