//! The embedded home: SQLite (WAL, `synchronous=FULL`), one writer thread that groups commits.
