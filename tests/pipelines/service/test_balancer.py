"""The balancer's configuration, as HAProxy itself reads it; and what is said where it cannot be."""

from __future__ import annotations

import configparser
import os
import tempfile
from pathlib import Path

import pytest

from loupan.settings import Settings, get_settings
from pipelines.service import balancer
from pipelines.service.place import ServiceError, place_alone, place_of
from pipelines.service.programs import Addresses, configuration, prepare_web
from tests.conftest import Run

ADDRESSES = Addresses("127.0.0.1", 8501, 3000)


@pytest.fixture
def haproxy() -> str:
    try:
        return balancer.executable(2)
    except ServiceError:
        pytest.skip("haproxy is not installed: see tests/support/system_packages.sh")


@pytest.mark.parametrize("name", ["plain", "it's 100 % 楼盘 $HOME", "deep" * 30])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_haproxy_takes_it_whatever_the_folder_is_called(haproxy, tmp_path, monkeypatch, name, host) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    place = place_of(Settings(data_dir=tmp_path / name))
    place.make()
    prepare_web(Settings(data_dir=tmp_path / name, web_processes=64), place, host, 8501)
    text = place.balancer_configuration.read_text()
    assert text.count("    server web-") == 64
    assert "web-64.sock" in text
    assert place.starting_page.read_bytes().startswith(b"HTTP/1.1 503 ")
    assert len(os.fsencode(place.worker_socket("web-64"))) < 95


def test_what_haproxy_does_not_take_is_said_before_anything_starts(haproxy, tmp_path) -> None:
    bad = tmp_path / "haproxy.cfg"
    bad.write_text("frontend web\n    bind nonsense\n")
    said_so = r"HAProxy does not accept .*haproxy.cfg: .*'nonsense'.*2\.6 or newer"
    with pytest.raises(ServiceError, match=said_so) as said:
        balancer.check(haproxy, bad)
    assert "ALERT" not in str(said.value)
    with pytest.raises(ServiceError, match="cannot hold"):
        balancer._quoted("a\nb")


@pytest.mark.parametrize("command", [["service"], ["serve"]])
def test_without_haproxy_the_package_is_named(run: Run, monkeypatch, command) -> None:
    monkeypatch.setenv("LOUPAN_WEB_PROCESSES", "4")
    monkeypatch.setattr(balancer, "_FURTHER_PATHS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    if command == ["serve"]:
        # The process that it becomes, which says it the same way.
        from pipelines.service import alone

        monkeypatch.setattr("sys.argv", ["alone", "127.0.0.1", "8749"])
        get_settings.cache_clear()
        with pytest.raises(SystemExit, match="1"):
            alone.main()
        return
    code, _, err = run("service", "start", "--port", "8749", "--dagster-port", "8748")
    assert code == 1
    assert "LOUPAN_WEB_PROCESSES=4 needs HAProxy 2.6 or newer" in err
    assert "apt install haproxy" in err
    assert not place_of(get_settings()).configuration.exists()


def test_several_processes_are_a_group_that_stops_before_the_balancer(haproxy, tmp_path) -> None:
    settings = Settings(data_dir=tmp_path, web_processes=3)
    place = place_of(settings)
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read_string(configuration(settings, place, ADDRESSES))
    assert parser["group:web"]["programs"] == "web-1,web-2,web-3"
    # supervisor stops the highest first.
    assert int(parser["program:balancer"]["priority"]) < int(parser["group:web"]["priority"])
    assert int(parser["program:dagster"]["priority"]) < int(parser["program:balancer"]["priority"])
    assert "program:web" not in parser
    assert f'PROMETHEUS_MULTIPROC_DIR="{place.shared}/metrics"' in parser["program:web-2"]["environment"]
    assert parser["program:web-2"]["stdout_logfile"] == str(place.logs / "web-2.log")


def test_one_process_needs_nothing_of_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(balancer, "executable", lambda _: pytest.fail("it was looked for"))
    settings = Settings(data_dir=tmp_path)
    place = place_of(settings)
    place.make()
    prepare_web(settings, place, "127.0.0.1", 8501)
    assert not place.balancer_configuration.exists()
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read_string(configuration(settings, place, ADDRESSES))
    assert not [name for name in parser.sections() if name.startswith("group:") or "balancer" in name]


def test_logs_of_several_are_asked_for_by_their_names(run: Run, monkeypatch) -> None:
    assert "There is no log of 'web-1'" in run("service", "logs", "web-1")[2]
    monkeypatch.setenv("LOUPAN_WEB_PROCESSES", "2")
    get_settings.cache_clear()
    folder = place_of(get_settings()).logs
    folder.mkdir(parents=True)
    for name in ("web-1", "web-2", "balancer"):
        (folder / f"{name}.log").write_text(f"of {name}\n")
    assert run("service", "logs", "web-2") == (0, "of web-2\n", "")
    assert "of balancer" in run("service", "logs", "balancer")[1]
    both = run("service", "logs", "web")[1]
    assert ("of web-1" in both, "of web-2" in both, "balancer" in both) == (True, True, False)


def test_serving_alone_keeps_its_files_beside_a_service_s(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    within, place = place_alone(settings, 8502)
    assert within.data_dir == tmp_path / "serve" / "8502"
    assert place.folder != place_of(settings).folder
    assert place.marker != place_of(settings).marker
