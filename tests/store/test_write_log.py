"""No exception leaves half a write in the open transaction, or a write twice."""

import sqlite3

import pytest

from server.store.write_log import WriteLog

FAULTS = [RecursionError, MemoryError, KeyboardInterrupt]


@pytest.fixture
def connection():
    """Return a database with an empty table."""
    made = sqlite3.connect(":memory:")
    made.execute("CREATE TABLE numbers (number INTEGER)")
    yield made
    made.close()


class Faults:
    """Writes to a log, and raises in the middle of chosen ones."""

    def __init__(self, connection):
        self.connection = connection
        self.at = None
        self.log = WriteLog(connection, self._before_commit, lambda: None)

    def write(self, number, error=None):
        def write():
            self.connection.execute("INSERT INTO numbers VALUES (?)", (number,))
            self._fail(number)
            return number

        return write

    def _before_commit(self):
        self._fail("commit")

    def _fail(self, place):
        if self.at is not None and self.at[0] == place:
            error, self.at = self.at[1], None
            raise error("in the middle")

    def numbers(self):
        rows = self.connection.execute("SELECT number FROM numbers ORDER BY rowid")
        return [row[0] for row in rows]


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize("method", ["write", "write_derived", "write_durably"])
def test_a_failed_write_is_undone_and_the_earlier_ones_are_kept(connection, method, error):
    faults = Faults(connection)
    faults.log.write(faults.write(1))
    faults.at = (2, error)
    with pytest.raises(error):
        getattr(faults.log, method)(faults.write(2))
    faults.log.write(faults.write(3))
    faults.log.commit()
    assert faults.numbers() == [1, 3]


@pytest.mark.parametrize("error", FAULTS)
def test_a_failed_commit_or_repetition_writes_nothing_twice(connection, error):
    faults = Faults(connection)
    faults.log.write(faults.write(1))
    faults.log.write(faults.write(2))
    for place in ("commit", 2, "commit"):
        faults.at = (place, error)
        with pytest.raises(error):
            faults.log.commit()
    faults.log.commit()
    assert faults.numbers() == [1, 2]
