"""The process that checks and unpacks one archive: ``python -m server.transfer DIRECTORY``.

The archive is its standard input. The directory is the staging directory, with the request in it;
the answer is a line of JSON on standard output.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from server.files.disk_errors import as_storage_error
from server.spec.run_spec import SpecError
from server.transfer.archive_format import ArchiveError, MissingTextError
from server.transfer.archive_reader import Archive
from server.transfer.messages import Refusal, StagingRequest, StagingResult
from server.transfer.staging import stage

__all__: list[str] = []


def main() -> None:
    """Check and unpack the archive, and print the answer."""
    os.umask(0o077)
    parent = os.getppid()

    def end_with_parent() -> None:
        # A server that starts again must not find this process at work.
        if os.getppid() != parent:
            raise SystemExit(1)

    directory = Path(sys.argv[1])
    request = StagingRequest.read(directory)
    try:
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb") as file:
            archive = Archive(file, request.limits.archive_bytes)
            staged = stage(
                archive,
                directory,
                request.texts,
                request.text,
                request.limits,
                before_piece=end_with_parent,
            )
        result = StagingResult(staged=staged, refusal=None)
    except MissingTextError as error:
        result = StagingResult.refused("text", str(error))
    except ArchiveError as error:
        result = StagingResult.refused("archive", str(error))
    except SpecError as error:
        result = StagingResult(None, Refusal("spec", error.message, error.field))
    except (OSError, sqlite3.Error) as error:
        if (reason := as_storage_error(error)) is None:
            raise
        result = StagingResult.refused("storage", str(reason))
    sys.stdout.write(result.to_json())


if __name__ == "__main__":
    main()
