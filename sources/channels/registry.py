"""Which protocol a source of which kind speaks; one of the kind `api` speaks none of them."""

from collections.abc import Mapping

from sources.channels import telegram
from sources.channels.protocol import Protocol

PROTOCOLS: Mapping[str, Protocol] = {
    "telegram": telegram.PROTOCOL,
}
