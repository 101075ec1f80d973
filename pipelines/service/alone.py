"""The web app alone, as several processes behind a balancer: ``python -m pipelines.service.alone HOST PORT``.

`loupan serve` becomes this where LOUPAN_WEB_PROCESSES is more than one. It is supervised as the service is, with files
of its own, so that it runs beside `loupan orchestrate`.
"""

from __future__ import annotations

import sys

import typer

from loupan import logs
from loupan.console import visible
from loupan.errors import LoupanError
from loupan.settings import Settings, get_settings
from pipelines.service import supervision
from pipelines.service.place import held, place_alone, require_free
from pipelines.service.programs import SUPERVISOR, configuration_of, prepare_web, web_programs


def serve(settings: Settings, host: str, port: int) -> None:
    """Run the balancer and the processes behind it until SIGTERM or Ctrl-C.

    Args:
        settings: say how many.
        host: address to listen on.
        port: TCP port.

    Raises:
        ServiceError: if it cannot be listened on, or the balancer is not installed or refuses its configuration.
    """
    within, place = place_alone(settings, port)
    require_free(host, port, "`loupan serve --host --port`")
    with held(within):
        place.make()
        logs.to_file(place.logs / f"{SUPERVISOR}.log", settings, program=SUPERVISOR)
        supervision.end_strays(place)
        prepare_web(settings, place, host, port, is_to_terminal=True)
        listed = web_programs(settings, place, host, port)
        place.write_configuration(configuration_of(settings, place, listed, {}, is_to_terminal=True))
        supervision.run(place, settings)


def main() -> None:
    """Serve as the arguments say; an error that a person can mend is one message and exit code 1."""
    host, port = sys.argv[1:]
    try:
        serve(get_settings(), host, int(port))
    except LoupanError as error:
        typer.secho(f"Error: {visible(str(error))}", fg="red", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
