"""The worked example of docs/adding-a-pipeline.md, built from the page and run."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from headgate.database import connect
from headgate.settings import Settings
from tests.docs import ROOT, Block, as_lines, blocks, squeezed
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.servers import DB, migrated

PAGE = ROOT / "docs" / "adding-a-pipeline.md"
REAL = "jsonplaceholder.typicode.com"


@dataclass
class Blog:
    """The page's service, with invented posts and comments."""

    url: str = ""
    untitled: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def post(self, request: web.Request) -> web.Response:
        """Answer `/posts/7`."""
        self.asked.append(request.path_qs)
        number = int(request.match_info["number"])
        post = {
            "userId": 1,
            "id": number,
            "title": f"Post {number}",
            "body": "a text of five words",
        }
        if number in self.untitled:
            del post["title"]
        return web.json_response(post)

    async def comments(self, request: web.Request) -> web.Response:
        """Answer `/comments?postId=7&_limit=2`."""
        self.asked.append(request.path_qs)
        number, count = int(request.query["postId"]), int(request.query.get("_limit", 5))
        comments = [
            {
                "postId": number,
                "id": 5 * number + n,
                "email": f"{n}@blog.example",
                "body": "I agree",
            }
            for n in range(count)
        ]
        return web.json_response(comments)

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        """Serve on a free port until told to end."""
        app = web.Application()
        app.router.add_get("/posts/{number}", self.post)
        app.router.add_get("/comments", self.comments)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0])
        ready.set()
        await end.wait()
        await runner.cleanup()


@contextmanager
def open_blog() -> Iterator[Blog]:
    """Serve the blog from a thread, for clients in other processes."""
    blog, loop, ready, end = Blog(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[blog.serve(ready, end)])
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield blog
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(PATIENCE)
        loop.close()


@pytest.fixture(scope="module")
def installed(
    clone: Callable[[Settings | None], Settings], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Migrate a database with the core and the page's files, and no other plan."""
    db = tmp_path_factory.mktemp("guide") / "db"
    shutil.copytree(DB, db, ignore=shutil.ignore_patterns("plans"))
    for block in blocks(PAGE):
        if block.file is not None:
            file = db.parent / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
    settings = replace(clone(None), db=db)
    migrated(settings)
    return settings


@pytest.fixture
def blog(
    installed: Settings, clone: Callable[[Settings | None], Settings]
) -> Iterator[tuple[Settings, Blog]]:
    """Serve the blog and point the plan of a fresh database to it, by the page's own statement."""
    settings = replace(clone(installed), db=installed.db)
    with open_blog() as blog, connect(settings, "test") as connection:
        connection.execute(block("set_provider").text.replace("http://127.0.0.1:8080", blog.url))
        yield settings, blog


def block(text: str, *, after: bool = False) -> Block:
    """Return the page's block of a query with that text, or the block after it."""
    found = blocks(PAGE)
    place = next(n for n, x in enumerate(found) if text in x.text and x.file is None)
    return found[place + after]


@pytest.fixture
def cli(headgate: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """Run the command line as a reader of the page would: on the embedded server, in its roles."""

    def run(settings: Settings, *arguments: str) -> str:
        environ = {"HEADGATE_DATABASE": settings.database, "HEADGATE_DB": str(settings.db)}
        where = {"HEADGATE_DSN": settings.dsn} if settings.dsn else {}
        done = headgate(*arguments, **environ, **where, HEADGATE_HOME=str(settings.home))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_explain_and_run_do_what_the_page_says(blog, cli):
    settings, service = blog

    explained = cli(settings, "explain", "blog")
    cli(settings, "run", "blog")

    assert timeless(explained) == timeless(block("as if it ran at").text)
    assert len(service.asked) == 200
    with connect(settings, "test") as connection:
        activity = connection.execute(block("v_today_processing_activity").text).fetchall()
        words = connection.execute("select distinct words from blog.word_counts").fetchall()
    assert as_lines(activity) == squeezed(block("v_today_processing_activity", after=True).text)
    assert [x["words"] for x in words] == [5 + 5 * 2]


def test_check_says_what_an_edit_would_do_as_the_page_says(blog, cli, tmp_path):
    settings, _ = blog
    db = tmp_path / "db"
    shutil.copytree(settings.db, db)
    plan = db / "plans" / "blog" / "plan.sql"
    plan.write_text(
        plan.read_text().replace("units => 1,\n    bundle", "units => 2,\n    bundle", 1)
    )

    said = cli(replace(settings, db=db), "check", "blog")

    assert squeezed(said) == squeezed(block("plan blog: 1 changed").text)


def test_one_job_is_tried_as_the_page_says(blog, cli, tmp_path):
    settings, service = blog
    host = service.url.removeprefix("http://")
    (tmp_path / "post.json").write_text(block('"title": "Post 7"').text)

    request = cli(settings, "request", "blog_post", "7")
    tried = cli(settings, "try", "blog_post", "7", "--answer", str(tmp_path / "post.json"))

    real = request.replace(service.url, f"https://{host}").replace(host, REAL)
    assert squeezed(real) == squeezed(block(f"GET https://{REAL}").text)
    assert squeezed(tried) == squeezed(block("rule     1 of blog").text)
    assert service.asked == []
    assert (
        cli(settings, "try", "blog_post", "7", "--send").splitlines()[3:] == tried.splitlines()[3:]
    )
    assert service.asked == ["/posts/7"]


def timeless(text: str) -> list[str]:
    """Return the lines of a text with its times replaced."""
    return squeezed(re.sub(r"\d{4}-\d\d-\d\d [\d:]{8}[+-]\d\d:\d\d", "TIME", text))


def test_some_posts_are_requested_with_fewer_comments_and_once_a_day(blog, cli):
    settings, service = blog

    cli(settings, "run", "blog", "--param", "posts=7,8", "--param", "comments_per_post=2")
    cli(settings, "run", "blog", "--param", "posts=7,8")

    assert sorted(service.asked) == [
        "/comments?_limit=2&postId=7",
        "/comments?_limit=2&postId=8",
        "/posts/7",
        "/posts/8",
    ]


def test_an_answer_without_a_title_fails_its_own_post_only(blog, cli):
    settings, service = blog
    service.untitled = {13}

    cli(settings, "run", "blog")

    with connect(settings, "test") as connection:
        plan = Plan(connection)
        assert plan.scalar("select count(*) from blog.posts") == 99
        (failed,) = plan.sql("select asset, operation, last_error from headgate.v_failed_assets")
    assert (failed["asset"], failed["operation"]) == ("13", "blog_post")
    assert 'null value in column "title"' in failed["last_error"]


def test_the_page_shows_the_files_it_lists():
    shown = [x.file for x in blocks(PAGE) if x.file]
    listed = next(x for x in blocks(PAGE) if x.text.startswith("db/plans/blog/")).text

    assert [Path(str(x)).name for x in shown] == [
        Path(line.split()[0]).name for line in listed.splitlines()[1:]
    ]
