"""``python -m tests.support.secret_scan``: whether a secret stands in a tracked file (`make lint`).

What detect-secrets takes for one and is none stands in ``.secrets.baseline``, as a hash: passwords of tests, examples
of addresses. ``--update`` writes it anew, which is to be looked through before it is committed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

REPOSITORY = Path(__file__).resolve().parents[2]
BASELINE = REPOSITORY / ".secrets.baseline"


def tracked(repository: Path = REPOSITORY) -> list[str]:
    """Return the tracked files, without the baseline; none where there is no repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False)
    return sorted(name for name in listed.stdout.split("\0") if name and name != BASELINE.name)


def new_secrets(repository: Path, files: list[str], known_in: Path) -> list[str]:
    """Return what was found beyond the baseline: file, line and kind, never the secret."""
    # Not by their own comparison, which takes a file's name as it stands to the working folder.
    listed = baseline.load(baseline.load_from_file(str(known_in)), filename=str(known_in))
    known = {(name, secret.secret_hash, secret.type) for name, secret in listed}
    found = SecretsCollection(root=str(repository))
    found.scan_files(*files)
    return sorted(
        f"{name}:{secret.line_number}: {secret.type}"
        for name, secret in found
        if (name, secret.secret_hash, secret.type) not in known
    )


def main() -> int:
    """Say what was found; returns the exit code."""
    files = tracked()
    if not files:
        sys.stdout.write("Secret scan not possible: this is no git repository, so no file is tracked.\n")
        return 0
    if "--update" in sys.argv[1:]:
        with default_settings():
            found = SecretsCollection(root=str(REPOSITORY))
            found.scan_files(*files)
            for name, secret in found:
                secret.is_secret = False
                secret.filename = name  # and not where it lies on this machine
            text = json.dumps(baseline.format_for_output(found), indent=1)
        BASELINE.write_text(f"{text}\n", encoding="utf-8")
        return 0
    new = new_secrets(REPOSITORY, files, BASELINE)
    for line in new:
        sys.stderr.write(f"{line}\n")
    if new:
        sys.stderr.write("Take them out, or, if they are none: python -m tests.support.secret_scan --update\n")
    else:
        sys.stdout.write(f"Secret scan: none in {len(files):,} tracked files.\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
