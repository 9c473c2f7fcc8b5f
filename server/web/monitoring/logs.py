"""The format and the level of the server's log, which goes to standard error."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from uvicorn.logging import DefaultFormatter

from server.settings import Settings

__all__ = ["JsonFormatter", "configure_logs"]


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: time, level, logger and message, and those of the rest that exist."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in ("run", "event") if (value := getattr(record, name, None))}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logs(settings: Settings) -> None:
    """Write the server's log to standard error, and warnings of libraries with it."""
    handler = logging.StreamHandler()
    text = DefaultFormatter("%(asctime)s %(levelprefix)s %(message)s", "%Y-%m-%d %H:%M:%S")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger("server").setLevel(level)
