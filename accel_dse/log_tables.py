"""The tables of a trial log, in SQLite and PostgreSQL alike."""

import sqlalchemy as sa

SCHEMA_VERSION = 3
"""Of the tables below. A change needs a migration, and a log of the old form among the tests.

2: a trial has a source.
3: what is being simulated has a ticket, and a study its recipe.
"""

TABLES = sa.MetaData()
STUDY = sa.Table(
    "study",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("optimizer", sa.Text, nullable=False),
    sa.Column("optimizer_options", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("simulator", sa.Text, nullable=False),
    sa.Column("simulator_version", sa.Text, nullable=False),
    sa.Column("simulator_options", sa.Text, nullable=False),
    sa.Column("package_version", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)
WRITER = sa.Table(
    "writer",
    TABLES,
    sa.Column("study_id", sa.ForeignKey("study.id"), primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("boot", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
)
TRIAL = sa.Table(
    "trial",
    TABLES,
    sa.Column("study_id", sa.ForeignKey("study.id"), primary_key=True),
    sa.Column("idx", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("design", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
)
TICKET = sa.Table(
    "ticket",
    TABLES,
    sa.Column("study_id", sa.ForeignKey("study.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ask", sa.Integer, nullable=False),
    sa.Column("known", sa.Integer, nullable=False),
    sa.Column("design", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("trial_idx", sa.Integer),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("token", sa.Text, nullable=False, server_default=""),
    sa.Column("lease_until", sa.Double, nullable=False, server_default="0"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
)
"""Designs that were proposed to be simulated beside others. `trial_idx` is their trial's once they
are done; `owner`, `token`, `lease_until` and `attempt` say which worker is at it, and how long it
has unless it says more; see `accel_dse.tickets`."""

_OPEN = TICKET.c.trial_idx.is_(None)
OPEN_TICKETS = sa.Index(
    "open_ticket", TICKET.c.study_id, TICKET.c.number, sqlite_where=_OPEN, postgresql_where=_OPEN
)
"""Few of many: what runs now is asked for again and again."""

RECIPE = sa.Table(
    "recipe",
    TABLES,
    sa.Column("study_id", sa.ForeignKey("study.id"), primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
)
"""What was asked for on the command line, so that another process can make the same study."""
