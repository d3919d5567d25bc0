# The throw-away PostgreSQL that other tests use.

from e2e._postgres import Postgres


def test_a_database_of_its_own(postgres: Postgres) -> None:
    """
    Each database is empty and counts its own sessions; after a restart it is there again.
    """
    name = postgres.create()
    try:
        postgres.ask("CREATE TABLE t (x int)", database=name)
        postgres.ask("INSERT INTO t VALUES (%s)", 1, database=name)
        postgres.restart()
        assert postgres.ask("SELECT x FROM t", database=name) == [(1,)]
        assert postgres.sessions(name) == 0
    finally:
        postgres.drop(name)
