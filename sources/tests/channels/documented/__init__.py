"""Events as the channels document them, each with the page that it is from. Where a page gives the
form alone the values are ours; secrets are left out, and added by the tests.
"""

import json
from pathlib import Path
from typing import Any


def documented(kind: str) -> dict[str, Any]:
    """The payloads by what the page calls them."""
    text = (Path(__file__).parent / f"{kind}.json").read_text(encoding="utf-8")
    return {name: event["payload"] for name, event in json.loads(text).items()}
