"""A service of small programs in place of the real ones: ``python -m tests.pipelines.service.stub_service``.

Its arguments are names and Python texts of programs, in turn.
"""

from __future__ import annotations

import sys

from loupan import logs
from loupan.settings import get_settings
from pipelines.service import programs, supervision
from pipelines.service.place import held, place_of
from pipelines.service.programs import Addresses, Program


def main() -> None:
    listed = [
        Program(name, [sys.executable, "-c", text], start_seconds=1, stop_seconds=60)
        for name, text in zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    ]
    settings = get_settings()
    place = place_of(settings)
    programs.programs = lambda *_: listed
    with held(settings):
        place.make()
        logs.to_file(place.logs / "supervisor.log", settings, program="supervisor")
        place.configuration.write_text(programs.configuration(settings, place, Addresses("127.0.0.1", 1, 2)))
        supervision.run(place, settings)


if __name__ == "__main__":
    main()
