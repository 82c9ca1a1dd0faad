"""Pages that were read: the result of each, and which of their links become assets."""

from __future__ import annotations

import pytest

from tests.db.assets.site import HOME, answer, pages, robots, site, take
from tests.db.toy import Toy


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Open a site with one first page."""
    return site(toy, "/")


def test_links_within_the_site_become_assets_once_and_a_step_deeper(shop: Toy):
    links = [
        f"{HOME}/a",
        f"{HOME}/a?b=1",
        f"{HOME}/",
        "http://other.test/a",
        "http://site.test.evil/a",
    ]
    (taken,) = take(shop, answer(shop, "/", *links)).values()

    assert (taken["status"], taken["left_out"]) == ("success", 0)
    assert set(pages(shop)) == {"/", "/a", "/a?b=1"}
    assert pages(shop)["/a"]["attributes"] == {"depth": 1, "hops": 0, "found_on": "/"}
    assert take(shop, answer(shop, "/", *links))["/"]["status"] == "success"
    assert len(pages(shop)) == 3


def test_pages_near_the_start_have_a_greater_weight(shop: Toy):
    take(shop, answer(shop, "/", f"{HOME}/a"))
    take(shop, answer(shop, "/a", f"{HOME}/b"))

    assert [pages(shop)[x]["weight"] for x in ("/", "/a", "/b")] == [1, 0.1, 0.01]


def test_links_are_followed_up_to_a_depth(shop: Toy):
    take(shop, answer(shop, "/", f"{HOME}/a"), max_depth=1)
    take(shop, answer(shop, "/a", f"{HOME}/b"), max_depth=1)

    assert set(pages(shop)) == {"/", "/a"}


def test_a_trap_ends_with_the_number_of_pages_and_says_what_was_left_out(shop: Toy):
    (taken,) = take(
        shop, answer(shop, "/", *(f"{HOME}/{n}" for n in range(9))), max_pages=4
    ).values()

    assert taken["left_out"] == 6
    assert set(pages(shop)) == {"/", "/0", "/1", "/2"}


def test_paths_refused_by_the_caller_or_the_site_become_no_assets(shop: Toy):
    robots(shop, "-/private", "+/private/door")
    links = [f"{HOME}/{x}" for x in ("private/x", "private/door", "login?x", "a")]
    take(shop, answer(shop, "/", *links), refuse=["/login%", "%.pdf"])

    assert set(pages(shop)) == {"/", "/private/door", "/a"}


def test_a_redirect_within_the_site_is_read_at_its_own_address(shop: Toy):
    taken = take(shop, answer(shop, "/", f"{HOME}/not", status=301, redirect=f"{HOME}/new"))["/"]

    assert (taken["status"], taken["reason"]) == ("skipped", "it has moved to /new")
    assert pages(shop)["/new"]["attributes"] == {"depth": 0, "hops": 1, "found_on": "/"}
    assert "/not" not in pages(shop)


def test_redirects_end_after_five(shop: Toy):
    code = "/"
    for n in range(5):
        take(shop, answer(shop, code, status=302, redirect=f"{HOME}/{n}"))
        code = f"/{n}"
    taken = take(shop, answer(shop, code, status=302, redirect=f"{HOME}/5"))[code]

    assert (taken["status"], taken["reason"]) == ("failed", "it is the sixth redirect in a row")
    assert "/5" not in pages(shop)


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("http://other.test/", "skipped", "it has moved out of the site, to http://other.test/"),
        (
            "http://site.test.evil/",
            "skipped",
            "it has moved out of the site, to http://site.test.evil/",
        ),
        (f"{HOME}/", "failed", "it has moved to itself"),
        (None, "failed", "it has moved, and does not say where to"),
    ],
)
def test_other_redirects_are_not_followed(shop: Toy, target: str | None, status: str, reason: str):
    taken = take(shop, answer(shop, "/", status=308, redirect=target))["/"]

    assert (taken["status"], taken["reason"]) == (status, reason)
    assert set(pages(shop)) == {"/"}


def test_a_page_is_kept_under_the_address_that_it_names(shop: Toy):
    taken = take(shop, answer(shop, "/", f"{HOME}/x", canonical=f"{HOME}/home"))["/"]

    assert (taken["status"], taken["reason"]) == ("skipped", "its canonical address is /home")
    assert set(pages(shop)) == {"/", "/home"}


@pytest.mark.parametrize("canonical", [f"{HOME}/", "http://other.test/"])
def test_a_page_that_names_its_own_address_or_a_strange_one_stays(shop: Toy, canonical: str):
    taken = take(shop, answer(shop, "/", canonical=canonical))["/"]

    assert (taken["status"], set(pages(shop))) == ("success", {"/"})


@pytest.mark.parametrize(
    ("said", "status", "followed"),
    [
        ("nofollow", "success", False),
        ("noindex", "skipped", True),
        ("none", "skipped", False),
        ("index, follow", "success", True),
    ],
)
def test_a_page_s_own_wishes_are_met(shop: Toy, said: str, status: str, followed: bool):
    taken = take(shop, answer(shop, "/", f"{HOME}/a", robots=said))["/"]

    assert (taken["status"], "/a" in pages(shop)) == (status, followed)


def test_a_first_page_that_is_written_otherwise_is_reported(toy: Toy):
    site(toy, "/a/../b")
    taken = take(toy, answer(toy, "/a/../b", url=f"{HOME}/b"))["/a/../b"]

    assert taken["status"] == "failed"
    assert (
        "its code is not its address as the parser html writes it: http://site.test/b"
        in taken["reason"]
    )
