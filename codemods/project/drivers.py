"""The packages that are database drivers, by what stands behind them. Tables and the names in them; pure.

Names are those of package indexes, as PEP 503 normalizes them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# of the dialects whose engines have a queue pool by default: it takes a size (semantics H2)
SERVER_DRIVERS = frozenset(
    {
        *("asyncpg", "psycopg", "psycopg-binary", "psycopg-c", "psycopg2", "psycopg2-binary", "psycopg2cffi", "pg8000"),
        *("aiomysql", "asyncmy", "cymysql", "mariadb", "mysql-connector", "mysql-connector-python", "mysqlclient"),
        *("pymysql", "aioodbc", "mssql-python", "pymssql", "pyodbc", "cx-oracle", "oracledb"),
        *("cockroachdb", "sqlalchemy-cockroachdb"),
    }
)
# the database is a file or in memory, and then its pool may take none (semantics H2)
FILE_DRIVERS = frozenset(
    {
        *("aiosqlite", "pysqlite3", "pysqlite3-binary", "pysqlcipher3", "sqlcipher3", "sqlcipher3-binary"),
        *("duckdb-engine", "sqlalchemy-libsql"),
    }
)
# extras of SQLAlchemy that are not named like the driver that they bring (its own metadata, 1.4 to 2.1)
_EXTRAS: Mapping[str, str] = {
    "mariadb-connector": "mariadb",
    "mssql": "pyodbc",
    "mssql-pymssql": "pymssql",
    "mssql-pyodbc": "pyodbc",
    "mysql": "mysqlclient",
    "mysql-connector": "mysql-connector-python",
    "oracle": "oracledb",
    "oracle-cxoracle": "cx-oracle",
    "oracle-oracledb": "oracledb",
    "postgresql": "psycopg",
    "postgresql-asyncpg": "asyncpg",
    "postgresql-pg8000": "pg8000",
    "postgresql-psycopg": "psycopg",
    "postgresql-psycopg2binary": "psycopg2-binary",
    "postgresql-psycopg2cffi": "psycopg2cffi",
    "postgresql-psycopgbinary": "psycopg-binary",
    "sqlcipher": "sqlcipher3-binary",
}


def normalized(name: str) -> str:
    """The name of a package, or of an extra, in the one spelling that counts (PEP 503, PEP 685)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def drivers_of(package: str, extras: Collection[str] = ()) -> frozenset[str]:
    """The drivers that a package with these extras brings: itself, or those that its extras name. Of normalized
    names, normalized names."""
    known = _EXTRAS if package == "sqlalchemy" else {}
    brought = {package, *(known.get(extra, extra) for extra in extras)}
    return (SERVER_DRIVERS | FILE_DRIVERS) & brought
