"""gunicorn's own log, without what the service tells better."""

from typing import Any

from gunicorn.glogging import Logger


class Log(Logger):
    """Each request has a line of the service's (`crm_project.request_log`). gunicorn would put
    another together, for nobody; it does where somebody asks for it (`--access-logfile`).
    """

    def access(self, *of_the_request: Any) -> None:
        if self.access_log.handlers:
            super().access(*of_the_request)
