"""The page of `icpi runs --view` in a real browser, of a store with hostile texts."""

from test_view_stored import page, stored  # noqa: F401  # test/unit


def test_hostile_texts_are_texts(browser, page, stored):  # noqa: F811
    """The whole page: rows, curves, settings that differ; nothing of a store becomes markup."""
    _, ids = stored
    chosen = "&".join(f"run={ids[kind]}" for kind in ("hostile", "slide", "unknown task"))
    tab = browser.open(f"{page.link}#{chosen}")
    tab.until("document.querySelectorAll('.curve.own').length === 3")
    tab.until("document.body.innerHTML.includes('options.__proto__')")
    found = tab.evaluate("document.documentElement.outerHTML")
    tab.close()
    assert "<title>Stored runs</title>" in found
    assert "3 chosen runs. Closest: 30.0 mm in trial 1, embedded on slide." in found
    assert found.count("<tr") == len(ids) + 1 + found.count('<th scope="row" class="text">') + 1
    assert "<img" not in found
    assert "&lt;img src=x" in found
