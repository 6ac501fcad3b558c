"""gunicorn's own log, without what the service tells better.

The master imports this module: a reload brings no new code of it.
"""

from typing import Any

from gunicorn.glogging import Logger


class Log(Logger):
    """Each request has a line of the service's (`crm_project.request_log`). gunicorn puts another
    together wherever `logconfig_dict` is set, for nobody; here it does where somebody asks for it
    (`--access-logfile`). `--statsd-host` wants gunicorn's own `logger_class`.
    """

    def access(self, *of_the_request: Any) -> None:
        if self.access_log.handlers:
            super().access(*of_the_request)
