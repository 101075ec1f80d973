"""The service: web app, Dagster's web server, daemon and code server under one supervisor."""
