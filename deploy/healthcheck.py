"""Ends with 0 if the service in this container answers."""

import os
import urllib.request

# It answers to its own names alone.
name = os.environ["CRM_ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".")
request = urllib.request.Request(
    f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health", headers={"Host": name}
)
urllib.request.urlopen(request, timeout=4).close()  # noqa: S310  # nosec B310 - of our own making
