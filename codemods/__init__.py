"""session-codemods: brings a code base on SQLAlchemy's AsyncSession to sessions that always close."""

__version__ = "0.1.0"
