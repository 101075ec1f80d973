"""Superset as its documentation sets it up for one machine: its own database beside this file's folder of work."""

import os

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"
# The API is called with a token, not from a page.
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
