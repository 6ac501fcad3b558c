"""What reaches us."""

from dataclasses import dataclass, field

from contacts.selectors import Look
from leads.services import Profile
from sources.models import Source


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What somebody wrote to us, through which source.

    `look` is one at the source of a moment ago; None: nobody has looked.
    """

    source: Source
    external_id: str
    message: str = ""
    profile: Profile = field(default_factory=Profile)
    look: Look | None = field(default=None, compare=False)
