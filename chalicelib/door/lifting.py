"""An address that was stopped, and is sent to again."""

from __future__ import annotations

from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.store import people, register, secrets
from chalicelib.store.people import Person


def of_address(stage: Stage, address: str) -> Person:
    """An address that is nobody's, as `lift` takes it.

    Raises
    ------
    TransientError : the secrets cannot be read.
    """
    return Person(secrets.of(stage).hash_of(address), people.ADDRESS)


def lift(stage: Stage, known: Person, channel: str, address: str, patience: Patience) -> bool:
    """Hold nothing against an address any more, neither here nor on the account's own list; says whether
    anything was. `known` is the person whose address it is, or the address itself.

    Raises
    ------
    TransientError : AWS does not answer in time; what is lifted already stays lifted.
    ClientError : it may not be.
    """
    held = register.lift(stage, known.item_id, channel, patience)
    if channel == "email" and address:
        held = _off_the_list(stage, address, patience.for_another()) or held
    return held


def _off_the_list(stage: Stage, email: str, patience: Patience) -> bool:
    """Take an address off the account's own suppression list; says whether it was on it.

    https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    """
    if stage.name == "local":  # the local AWS has no such list
        return False

    def ask() -> bool:
        try:
            stage.ses.delete_suppressed_destination(EmailAddress=email)
        except stage.ses.exceptions.NotFoundException:
            return False
        return True

    return patience.ask(ask)
