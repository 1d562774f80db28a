"""The review page in a real browser: keys, filters, both views, a narrow window; no errors, nothing loaded.

Starts a headless Chromium of this machine, driven by playwright; opens files below the test's folder only. Skipped
where one of the two is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_pages.plans import EVIL, Case, a_group, hostile, of_files, of_the_legacy_app

from codemods.review.html_report import report
from codemods.saved_plan import Decision, Verdict

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium or google-chrome on this machine")

Open = Callable[..., Any]  # the page of a text: Open(text, width=..., **of the browser's context)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sandbox = [] if getattr(os, "geteuid", lambda: 1)() else ["--no-sandbox"]  # root has none
    with playwright.sync_playwright() as started:
        one = started.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield one
        one.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens pages; at the end none of them may have complained, or asked for anything but itself."""
    complaints: list[str] = []
    contexts: list[Any] = []
    file = tmp_path / "report.html"

    def open_(text: str, width: int = 1400, **context: Any) -> Any:
        file.write_bytes(text.encode())
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: complaints.append(request.url) if request.url != file.as_uri() else None)
        page.goto(file.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return of_the_legacy_app(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def legacy_text(legacy: Case) -> str:
    return report(legacy.plan, legacy.composed, name="legacy_app")


@pytest.fixture
def page(opened: Open, legacy_text: str) -> Any:
    return opened(legacy_text)


def focused(page: Any) -> str:
    """The id of the group that has the focus."""
    return str(page.evaluate("document.activeElement.closest('details')?.id ?? ''"))


def shown_groups(page: Any) -> int:
    return int(page.locator(".card:visible").count())


def filtered(page: Any, told: str) -> None:
    """Waits until the filters are done."""
    playwright.expect(page.locator("#shown")).to_contain_text(told)


def overflow(page: Any) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


# --- keys -------------------------------------------------------------------------------------------------------------


def test_j_and_k_go_from_group_to_group(page: Any, legacy: Case) -> None:
    ids = [f"group-{group.id}" for group in legacy.plan.groups]
    page.keyboard.press("k")
    assert focused(page) == ids[0]
    for _ in range(2):
        page.keyboard.press("j")
    assert focused(page) == ids[2]
    page.keyboard.press("k")
    assert focused(page) == ids[1]
    outline = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid 3px" in outline
    for _ in ids:
        page.keyboard.press("j")
    assert focused(page) == ids[-1]
    assert page.locator("summary:focus").bounding_box()["y"] > 60  # not below the filters, which stay on top


def test_e_opens_and_closes_the_group_and_builds_its_diff_only_then(page: Any) -> None:
    page.keyboard.press("j")
    first = page.locator(".card").first
    assert first.locator(".diff").count() == 0
    page.keyboard.press("e")
    playwright.expect(first.locator(".diff.unified")).to_be_visible()
    assert page.locator(".diff").count() == 1
    page.keyboard.press("e")
    playwright.expect(first.locator(".diff")).not_to_be_visible()


def test_v_shows_the_same_lines_side_by_side(page: Any) -> None:
    card = page.locator(".card", has=page.locator(".badge", has_text="review")).first
    card.locator("summary").click()
    unified = card.locator(".diff.unified")
    added = unified.locator("td.code.add").all_text_contents()
    removed = unified.locator("td.code.del").all_text_contents()
    notes = unified.locator("td.note").all_text_contents()
    page.keyboard.press("v")
    split = card.locator(".diff.split")
    playwright.expect(split.first).to_be_visible()
    assert split.locator("td.code.add").all_text_contents() == added
    assert split.locator("td.code.del").all_text_contents() == removed
    assert split.locator("td.note").all_text_contents() == notes
    assert added
    assert notes
    assert page.locator("#view").get_attribute("aria-pressed") == "true"
    page.keyboard.press("v")
    playwright.expect(card.locator(".diff.unified").first).to_be_visible()


def test_slash_goes_to_the_filter_and_escape_back(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("jek?")
    assert page.locator("input[name=text]").input_value() == "jek?"
    assert not page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("input[name=text]").input_value() == "jek?"
    page.keyboard.press("?")
    playwright.expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    playwright.expect(page.locator("#help")).not_to_be_visible()


def test_the_tabulator_alone_is_enough(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page).startswith("group-")
    page.keyboard.press("Enter")
    playwright.expect(page.locator(".diff").first).to_be_visible()


def test_a_key_with_control_is_the_browsers(page: Any) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Control+e")
    assert page.locator("details[open]").count() == 0


# --- filters ----------------------------------------------------------------------------------------------------------


def test_the_filters_leave_what_fits(page: Any, legacy: Case) -> None:
    groups = legacy.plan.groups
    refused = legacy.plan.ledger.entries
    page.locator("select[name=rule]").select_option("eager-load")
    count = sum(any(finding.rule == "eager-load" for finding in group.findings) for group in groups)
    filtered(page, f"{count} of {len(groups)} groups")
    assert shown_groups(page) == count > 0
    page.get_by_role("button", name="Clear").click()
    filtered(page, f"{len(groups)} of {len(groups)} groups")
    page.locator("select[name=level]").select_option("safe")
    filtered(page, f"{sum(group.level.label == 'safe' for group in groups)} of {len(groups)} groups · 0 of")
    page.locator("select[name=level]").select_option("left alone")
    assert refused
    filtered(page, f"0 of {len(groups)} groups")
    assert page.locator(".alone:visible").count() == page.locator(".alone").count() > 0
    page.get_by_role("button", name="Clear").click()
    page.locator("input[name=path]").fill("APP/bot/")
    filtered(page, f"{sum(any('app/bot/' in path for path in group.paths) for group in groups)} of")


def test_text_is_found_in_the_code_and_in_what_was_left_alone(page: Any, legacy: Case) -> None:
    page.locator("input[name=text]").fill("recruiters are few: one query")
    filtered(page, f"1 of {len(legacy.plan.groups)} groups · 0 of")
    page.locator("input[name=text]").fill("it outlives the function")
    filtered(page, "· 1 of")
    assert page.locator("#alone").is_visible()
    page.locator("input[name=text]").fill("nothing says this")
    filtered(page, f"0 of {len(legacy.plan.groups)} groups · 0 of")
    assert not page.locator("#alone").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert focused(page) == ""


def test_the_keys_pass_over_what_is_filtered_away(page: Any, legacy: Case) -> None:
    page.locator("select[name=rule]").select_option("eager-load")
    playwright.expect(page.locator("#shown")).not_to_contain_text(f"{len(legacy.plan.groups)} of")
    page.locator("select[name=rule]").evaluate("one => one.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    fitting = [group.id for group in legacy.plan.groups if "eager-load" in {one.rule for one in group.findings}]
    assert focused(page) == f"group-{fitting[1]}"


def test_a_row_of_a_table_sets_the_filter(page: Any) -> None:
    page.get_by_role("button", name="app/routers/").click()
    assert page.locator("input[name=path]").input_value() == "app/routers/"
    page.get_by_role("button", name="session-dependency", exact=True).click()
    assert page.locator("select[name=rule]").input_value() == "session-dependency"
    assert 0 < shown_groups(page) < page.locator(".card").count()


def test_decisions_can_be_filtered(opened: Open, legacy: Case) -> None:
    plan = legacy.plan.decided(legacy.plan.groups[:3], Decision(Verdict.ACCEPTED, "Ada"))
    page = opened(report(plan, legacy.composed))
    page.locator("select[name=decision]").select_option("accepted")
    filtered(page, f"3 of {len(plan.groups)} groups · 0 of")


def test_all_that_is_shown_can_be_opened_and_closed(page: Any) -> None:
    page.get_by_role("button", name="Open all shown").click()
    playwright.expect(page.locator("details[open]")).to_have_count(page.locator(".card").count())
    assert page.locator(".diff").count() >= page.locator(".card").count()
    page.get_by_role("button", name="Close all").click()
    playwright.expect(page.locator("details[open]")).to_have_count(0)


def test_a_link_to_a_group_opens_it(page: Any, legacy: Case) -> None:
    page.evaluate("id => { location.hash = 'group-' + id }", legacy.plan.groups[7].id)
    playwright.expect(page.locator("details[open] .diff").first).to_be_visible()
    assert focused(page) == f"group-{legacy.plan.groups[7].id}"


# --- hostile text -----------------------------------------------------------------------------------------------------


def test_hostile_text_is_text(opened: Open) -> None:
    case = hostile()
    page = opened(report(case.plan, case.composed, name=" ".join(EVIL)))
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.keyboard.press("v")
    playwright.expect(page.locator(".diff.split")).to_be_visible()
    page.locator("input[name=text]").fill("window.hacked")
    filtered(page, "1 of 1 groups")
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("img, b[onmouseover], .diff script").count() == 0
    assert EVIL[0] in page.locator(".diff").text_content()
    assert page.locator(".diff .x").first.text_content() == r"\u202e"
    assert overflow(page) == 0


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 700, 1400])
def test_no_window_is_too_narrow(opened: Open, legacy_text: str, width: int) -> None:
    page = opened(legacy_text, width)
    for _ in range(3):
        page.keyboard.press("j")
        page.keyboard.press("e")
    page.keyboard.press("v")
    playwright.expect(page.locator(".diff").nth(2)).to_be_visible()
    assert overflow(page) == 0
    assert page.locator(".diff.split").count() == (page.locator(".diff").count() if width == 1400 else 0)
    assert page.locator("#view").is_enabled() == (width == 1400)


def test_long_words_do_not_widen_a_narrow_window(opened: Open) -> None:
    path = f"{'deep/' * 60}{'x' * 300}.py"
    before, after = b"x = '" + b"a" * 5000 + b"'\n", b"y = '" + b"b" * 5000 + b"'\n"
    case = of_files({path: (before, after)}, a_group(path, message="m" * 500))
    page = opened(report(case.plan, case.composed), 320)
    page.keyboard.press("j")
    page.keyboard.press("e")
    playwright.expect(page.locator(".diff")).to_be_visible()
    assert "and 3,006 characters more" in page.locator(".diff").text_content()
    assert overflow(page) == 0


def test_a_dark_screen_gets_a_dark_page(opened: Open, legacy_text: str) -> None:
    page = opened(legacy_text, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 27)"


def test_on_paper_there_are_no_filters(page: Any) -> None:
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert page.locator(".card").first.is_visible()


def test_without_javascript_the_reasons_can_be_read(opened: Open, legacy_text: str, legacy: Case) -> None:
    page = opened(legacy_text, java_script_enabled=False)
    assert "need JavaScript" in page.locator("noscript").inner_text()
    page.locator("summary").first.click()
    assert page.locator(".why").first.is_visible()


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_thousand_groups_stay_usable(opened: Open, legacy: Case) -> None:
    copies = [
        (f"{group.id}:{number}", group)
        for number in range(1000 // len(legacy.plan.groups) + 1)
        for group in legacy.plan.groups
    ]
    originals = dict(copies)
    plan = replace(legacy.plan, groups=tuple(replace(group, id=name) for name, group in copies[:1000]))
    text = report(plan, lambda groups: legacy.composed([originals[group.id] for group in groups]))
    assert len(text.encode()) < 5_000_000
    page = opened(text)
    page.set_default_timeout(5000)
    assert page.locator(".diff").count() == 0
    page.locator("input[name=text]").fill("recruiters are few: one query")
    playwright.expect(page.locator("#shown")).not_to_contain_text("1000 of 1000 groups")
    assert 0 < shown_groups(page) < 50
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("e")
    playwright.expect(page.locator(".diff")).to_be_visible()
