"""``loupan service`` as it is typed, where no service runs; its logs."""

from __future__ import annotations

import configparser
import socket
from itertools import islice
from pathlib import Path

from loupan.settings import Settings, get_settings
from pipelines.service.place import place_of
from pipelines.service.programs import PROGRAMS, Addresses, configuration
from pipelines.service.tail import _Followed, follow, last_lines
from tests.conftest import Run


def test_orders_where_no_service_runs(run: Run) -> None:
    code, out, err = run("service", "status")
    assert (code, out, "No service runs" in err) == (3, "", True)
    code, out, _ = run("service", "stop")
    assert (code, "No service runs" in out) == (0, True)
    for order in (["restart"], ["reload"]):
        code, _, err = run("service", *order)
        assert (code, "loupan service start" in err) == (1, True)
    assert "There is no log of 'wbe'" in run("service", "logs", "wbe")[2]
    assert run("service", "logs") == (0, "", "")


def test_ports_are_looked_at_before_anything_starts(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--port", "--dagster-port"):
            code, out, err = run("service", "start", option, port)
            assert (code, out) == (1, "")
            assert f"Cannot listen on 127.0.0.1:{port}" in err
            assert f"Choose another with {option}" in err
    assert "cannot both listen on port 8600" in run("service", "start", "--port", "8600", "--dagster-port", "8600")[2]
    assert not place_of(get_settings()).configuration.exists()


def test_the_configuration_reads_back_whatever_the_folder_is_called(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "it's 100 % 楼盘", log_level="warning", log_megabytes=3)
    place = place_of(settings)
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read_string(configuration(settings, place, Addresses("127.0.0.1", 8501, 3000)))
    assert [name for name in parser.sections() if name.startswith("program:")] == [f"program:{p}" for p in PROGRAMS]
    assert not any(name.startswith("inet") for name in parser.sections())
    priorities = [int(parser[f"program:{name}"]["priority"]) for name in PROGRAMS]
    assert priorities == sorted(priorities)
    web = parser["program:web"]
    assert web["stdout_logfile"] == str(place.logs / "web.log").replace("%", "%%")
    assert web["stdout_logfile_maxbytes"] == "3MB"
    assert parser["unix_http_server"]["chmod"] == "0700"
    assert len(parser["unix_http_server"]["password"]) >= 32
    assert "'127.0.0.1' '--port' '3000'" in parser["program:dagster"]["command"]


def test_the_last_lines_go_back_into_what_was_rotated(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert last_lines(log, 5) == []
    (tmp_path / "web.log.1").write_text("1\n2\n3\n")
    log.write_text("4\n5\n")
    assert last_lines(log, 3) == ["3", "4", "5"]
    assert last_lines(log, 0) == []


def test_new_lines_are_followed_over_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("old\n")
    followed = _Followed(log)
    with log.open("a") as file:
        file.write("1\nhal")
    assert list(followed.new()) == ["1"]
    with log.open("a") as file:
        file.write("f\n")
    log.rename(tmp_path / "web.log.1")
    log.write_text("2\n")
    assert list(followed.new()) == ["half", "2"]
    assert list(followed.new()) == []
    log.write_text("")
    assert list(followed.new()) == []
    log.write_text("3\n")
    assert list(followed.new()) == ["3"]


def test_what_is_there_before_is_not_followed(tmp_path: Path) -> None:
    log, later = tmp_path / "web.log", tmp_path / "code.log"
    log.write_text("old\n")
    lines = follow([log, later])
    followed = _Followed(later)
    later.write_text("new\n")
    assert list(followed.new()) == ["new"]
    assert list(islice(lines, 0)) == []
