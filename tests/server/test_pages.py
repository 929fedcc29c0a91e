from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.server import pages
from tmstream.server.pages import Page, Roots, find
from tmstream.server.policy import Door

DOOR = Door(8765)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Roots:
    base = tmp_path_factory.mktemp("site")
    files = {
        "secret.txt": "secret",
        "studio/index.html": "<p>studio",
        "studio/main.js": "studio",
        "client/tmstream.js": "client",
        "client/tmstream.mjs": "module",
        "client/tmstream.d.ts": "types",
        "demos/index.html": "<p>demos",
        "demos/hello/index.html": "<p>h\u00e9llo",
        "demos/package.json": '{"dependencies": {"p5": "2.1.1", "p5v1": "npm:p5@1.11.10", "x": "1.0.0"}}',
        "demos/node_modules/p5/lib/p5.min.js": "p5",
        "sketch/index.html": "<p>own",
        "sketch/clip.bin": "0123456789",
        "sketch/.env": "secret",
        "sketch/a b/index.html": "<p>blank",
    }
    for name, text in files.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (base / "sketch" / "way_out.txt").symlink_to(base / "secret.txt")
    return Roots(base / "studio", base / "client", base / "demos", base / "sketch")


def get(roots: Roots, target: str, host: str = "localhost", **more: str) -> Page:
    return find(roots, DOOR, host, target, **more)


@pytest.mark.parametrize(
    ("host", "target", "body"),
    [
        ("127.0.0.1", "/", "<p>studio"),
        ("127.0.0.1", "/main.js?v=1", "studio"),
        ("127.0.0.1", "/tmstream.js", "client"),
        ("localhost", "/tmstream.js", "client"),
        ("localhost", "/tmstream.mjs", "module"),
        ("192.168.1.5", "/tmstream.d.ts", "types"),
        ("localhost", "/demos/", "<p>demos"),
        ("localhost", "/demos/hello/", "<p>h\u00e9llo"),
        ("[::1]", "/sketch/", "<p>own"),
        ("192.168.1.5", "/sketch/", "<p>own"),
        ("localhost", "/vendor/p5/lib/p5.min.js", "p5"),
        ("localhost", "/sketch/a%20b/", "<p>blank"),
    ],
)
def test_each_part_of_the_site_is_under_its_own_name(
    roots: Roots, host: str, target: str, body: str
) -> None:
    page = get(roots, target, host)
    assert (page.status, page.body.decode()) == (200, body)
    assert page.headers["Content-Type"].endswith("; charset=utf-8")
    assert page.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "target", "location"),
    [
        ("localhost", "/", "http://127.0.0.1:8765/"),
        ("[::1]", "/main.js", "http://127.0.0.1:8765/main.js"),
        ("127.0.0.1", "/sketch/", "http://localhost:8765/sketch/"),
        ("127.0.0.1", "/demos/hello/?a=1", "http://localhost:8765/demos/hello/?a=1"),
        ("localhost", "/demos", "/demos/"),
        ("localhost", "/sketch", "/sketch/"),
        ("localhost", "/sketchbook/a.js", "http://127.0.0.1:8765/sketchbook/a.js"),
        ("localhost", "/demos/hello", "hello/"),
        ("localhost", "/sketch/a%20b", "a%20b/"),
        ("localhost", "//evil.example/x", "http://127.0.0.1:8765/evil.example/x"),
    ],
)
def test_the_wrong_name_leads_to_the_right_one(
    roots: Roots, host: str, target: str, location: str
) -> None:
    page = get(roots, target, host)
    assert page.status in (307, 308)
    assert page.headers["Location"] == location


def test_the_studio_is_not_served_to_the_network(roots: Roots) -> None:
    assert get(roots, "/", "192.168.1.5").status == 404
    assert get(roots, "/main.js", "exhibit.local").status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/sketch/../secret.txt", "/sketch/%2e%2e/secret.txt", "/sketch/..%2fsecret.txt", "/sketch/.env",
        "/sketch/way_out.txt", "/sketch//etc/passwd", "/sketch/..%5csecret.txt", "/sketch/%00", "/demos/..",
        "/vendor/../../../secret.txt", "/sketch/hello/../../../secret.txt", "/client/../secret.txt",
        "/sketch/nothing", "/sketch/" + "a" * 300, "/sketch/clip.bin/x", "http://a/", "*",
    ],
)  # fmt: skip
def test_nothing_leads_out_and_nothing_hidden_is_shown(roots: Roots, target: str) -> None:
    page = get(roots, target)
    assert page.status in (400, 404)
    assert b"secret" not in page.body


@given(st.text(alphabet="./\\%2e5cfs~ab\x00sketchrt", max_size=40))
def test_no_address_reads_the_secret(roots: Roots, rest: str) -> None:
    for start in ("/", "/sketch/", "/demos/", "/vendor/", "/client/"):
        for host in ("127.0.0.1", "localhost"):
            assert b"secret" not in get(roots, start + rest, host).body


def test_the_studio_loads_nothing_from_elsewhere_and_runs_nothing_inline(roots: Roots) -> None:
    headers = get(roots, "/", "127.0.0.1").headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "https:" not in policy
    assert "connect-src 'self' ws://127.0.0.1:8765;" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_demo_may_fetch_pinned_p5_alone_and_talks_to_this_engine_alone(roots: Roots) -> None:
    policy = get(roots, "/demos/").headers["Content-Security-Policy"]
    scripts = policy.partition("script-src ")[2].partition(";")[0].split()
    assert scripts == [
        "'self'",
        "'unsafe-eval'",
        "https://cdn.jsdelivr.net/npm/p5@2.1.1/lib/p5.min.js",
        "https://cdn.jsdelivr.net/npm/p5@1.11.10/lib/p5.min.js",
    ]
    own = get(roots, "/sketch/").headers["Content-Security-Policy"]
    for one in (policy, own):
        connect = one.partition("connect-src ")[2].partition(";")[0].split()
        assert connect == ["'self'", "blob:", "data:", "ws://localhost:8765"]
    assert "'unsafe-inline'" in own.partition("script-src ")[2].partition(";")[0]


def test_the_client_library_may_be_loaded_from_anywhere(roots: Roots) -> None:
    headers = get(roots, "/tmstream.js").headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Origin" not in get(roots, "/demos/").headers


@pytest.mark.parametrize(
    ("wanted", "status", "body", "span"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("pages=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_of_a_file(roots: Roots, wanted: str, status: int, body: bytes, span: str) -> None:
    page = get(roots, "/sketch/clip.bin", byte_range=wanted)
    assert (page.status, page.body, page.headers.get("Content-Range")) == (status, body, span)


def test_without_a_sketch_it_says_how_to_give_one(roots: Roots) -> None:
    page = get(roots._replace(sketch=None), "/sketch/")
    assert page.status == 404
    assert b"--sketch FOLDER" in page.body


def test_a_huge_file_is_not_read(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 9)
    assert get(roots, "/sketch/clip.bin").status == 413


def test_under_tls_everything_says_so(roots: Roots) -> None:
    secure = Door(443, tls=True, names=("exhibit.local",))
    page = find(roots, secure, "localhost", "/")
    assert page.headers["Location"] == "https://127.0.0.1/"
    policy = find(roots, secure, "exhibit.local", "/sketch/").headers["Content-Security-Policy"]
    assert "wss://exhibit.local" in policy


def test_the_shipped_roots_are_there(tmp_path: Path) -> None:
    found = pages.shipped_roots(str(tmp_path / "x" / ".."))
    assert found.client.parent.name == "web"
    assert found.sketch == tmp_path
