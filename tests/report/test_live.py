import http.client
import json
import threading
import time
from contextlib import closing, contextmanager

import pytest
from a_log import TRIALS, measured
from pages import Page, study, unpacked

from accel_dse.cli import main
from accel_dse.cli.watching import loopback
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.live import HEADERS, Follower, PageServer
from accel_dse.trial_log import TrialLog

pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")


@pytest.fixture
def log(tmp_path):
    """A log that is open for writing, and empty."""
    writer = TrialLog(tmp_path / "run.sqlite")
    writer.create_or_check(study())
    with closing(writer):
        yield writer


@pytest.fixture
def follower(log):
    return Follower(TrialLog(log.place), Lab(reason="this is a test"))


@contextmanager
def served(follower):
    server = PageServer(follower)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def asked(server, path, method="GET", **headers):
    """The status, the headers and the text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    with closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def test_news_are_the_trials_that_the_page_lacks(log, follower):
    log.append(TRIALS[:4])
    news = json.loads(follower.news(0, {}))
    [chunk] = news["parts"]["trials"]
    assert unpacked(chunk["index"]) == [0, 1, 2, 3]
    log.append(TRIALS[4:])
    [chunk] = json.loads(follower.news(4, {}))["parts"]["trials"]
    assert unpacked(chunk["index"]) == [4, 5, 6, 7, 8, 9]
    assert "trials" not in json.loads(follower.news(10, {}))["parts"]


def test_many_trials_come_in_several_answers(log, follower, monkeypatch):
    monkeypatch.setattr("accel_dse.report.live.MOST_AT_ONCE", 7)
    log.append(TRIALS)
    news = json.loads(follower.news(0, {}))
    assert (news["parts"]["trials"][0]["count"], news["more"]) == (7, True)
    news = json.loads(follower.news(7, {}))
    assert (news["parts"]["trials"][0]["count"], news["more"]) == (3, False)


def test_a_part_is_sent_again_only_if_it_changed(log, follower):
    log.append(TRIALS)
    follower.read()
    follower.digest()
    follower.ponder()
    first = json.loads(follower.news(10, {}))
    assert set(first["parts"]) == {
        "about", "digest", "references", "importance", "inside", "hypervolume"
    }  # fmt: skip
    assert first["parts"]["digest"]["trials"] == 10
    assert first["parts"]["inside"]["reason"] == "this is a test"
    assert json.loads(follower.news(10, first["versions"]))["parts"] == {}
    log.append([measured(10, 1.0)])
    follower.read()
    follower.digest()
    follower.ponder()
    later = json.loads(follower.news(11, first["versions"]))
    assert set(later["parts"]) == {"about", "digest"}, "the rest is much the same"
    assert later["parts"]["digest"]["best"][0]["trial"] == 10


def test_the_threads_compute_all_parts_and_end_when_told(log, follower):
    log.append(TRIALS)
    follower.start()
    ends = time.monotonic() + 60
    while len(follower._parts) < 6 and time.monotonic() < ends:
        time.sleep(0.01)
    follower.stop()
    assert not any(thread.is_alive() for thread in follower._threads)
    assert set(json.loads(follower.news(0, {}))["parts"]) >= {"digest", "inside", "importance"}


def test_a_log_that_was_replaced_is_not_mixed_with_the_old_one(log, follower, tmp_path):
    log.append(TRIALS)
    follower.read()
    log.close()
    for file in tmp_path.iterdir():
        file.unlink()
    fresh = TrialLog(tmp_path / "run.sqlite")
    fresh.create_or_check(study())
    with closing(fresh), served(follower) as server:
        status, _, text = asked(server, f"/{server.secret}/news?trials=10")
    assert status == 503
    assert text.endswith("is a new log now; start watch again")


def test_a_log_that_is_gone_is_told_to_the_page(log, follower, tmp_path):
    log.close()
    for file in tmp_path.iterdir():
        file.unlink()
    with served(follower) as server:
        status, _, text = asked(server, f"/{server.secret}/news?trials=0")
    assert status == 503
    assert "run.sqlite" in text


def test_the_page_and_its_news_are_behind_a_secret(log, follower):
    log.append(TRIALS)
    with served(follower) as server:
        status, headers, text = asked(server, f"/{server.secret}/")
        assert status == 200
        assert Page(text).parts["about"]["live"] is True
        for name, value in HEADERS.items():
            assert headers[name] == value
        status, _, text = asked(server, f"/{server.secret}/news?trials=3&digest=0")
        assert (status, json.loads(text)["parts"]["trials"][0]["count"]) == (200, 7)
        for path in ("/", "/news", "/x/", "/x/news?trials=0", f"/{server.secret}/../etc/passwd",
                     f"/{server.secret}/news/more", "/%2e%2e/", "//"):  # fmt: skip
            status, _, text = asked(server, path)
            assert (status, text) == (404, "there is nothing here"), path
        with served(follower) as other:
            assert other.secret != server.secret


def test_only_questions_in_this_hosts_own_name_are_answered(log, follower):
    with served(follower) as server:
        path, port = f"/{server.secret}/", server.server_port
        for name in ("evil.example", f"evil.example:{port}", "", "127.0.0.1", f"127.0.0.1:{port}1"):
            assert asked(server, path, Host=name)[0] == 403, name
        for name in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert asked(server, path, Host=name)[0] == 200, name


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(log, follower, method):
    with served(follower) as server:
        assert asked(server, f"/{server.secret}/", method)[0] == 501


@pytest.mark.parametrize("query", ["trials=x", "trials=1&digest=y", "trials=1.5"])
def test_a_question_that_makes_no_sense_is_refused(log, follower, query):
    with served(follower) as server:
        assert asked(server, f"/{server.secret}/news?{query}")[0] == 400


@pytest.mark.parametrize(("error", "said"), [(BrokenPipeError, False), (ZeroDivisionError, True)])
def test_a_browser_that_leaves_is_no_error_and_a_bug_is(log, follower, capsys, error, said):
    def leave():
        raise error

    with served(follower) as server:
        try:
            leave()
        except error:
            server.handle_error(None, ("127.0.0.1", 1))
    assert ("Traceback" in capsys.readouterr().err) is said


def test_only_loopback_addresses_are_this_machines_alone():
    assert all(map(loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(loopback, ("0.0.0.0", "192.168.1.2", "::", "example.org", "")))


def test_watch_refuses_to_show_a_study_to_other_machines_unless_told(log, capsys):
    assert main(["watch", log.place, "--host", "0.0.0.0"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --host: other machines reach 0.0.0.0")
    assert "--public" in said


def test_watch_says_what_is_wrong_with_a_log(tmp_path, capsys):
    assert main(["watch", str(tmp_path / "none.sqlite")]) == 2
    assert "none.sqlite" in capsys.readouterr().err


def test_watch_says_that_a_port_is_taken(log, follower, capsys):
    with served(follower) as server:
        assert main(["watch", log.place, "--port", str(server.server_port)]) == 2
    assert "cannot listen at 127.0.0.1" in capsys.readouterr().err
