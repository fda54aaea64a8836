"""A key is taken out in every form in which it may stand in a text."""

import html
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icpi_ros.core.redact import leaked, redact, redact_text, redact_texts

ODD = 'Mk"rk\\ed_k1y<&>zz'
FORMS = {
    "plain": lambda key: key,
    "json": lambda key: json.dumps({"reply": key}),
    "json in json": lambda key: json.dumps({"details": json.dumps({"reply": key})}),
    "html": lambda key: html.escape(key),
    "json in html": lambda key: html.escape(json.dumps(key)),
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30))
def test_any_printable_key_in_any_form(monkeypatch, form, key):
    monkeypatch.setenv("MARKED_API_KEY", key)
    text = f"the server said {FORMS[form](key)} and more"
    assert leaked(text) == "MARKED_API_KEY"
    clean = redact_text(text)
    assert "[MARKED_API_KEY removed]" in clean
    assert FORMS[form](key).strip('"') not in clean
    assert redact({"a": [text]}) == {"a": [clean]}
    assert redact_texts([text, "b"]) == [clean, "b"]


def test_an_odd_key_leaves_no_part(monkeypatch):
    monkeypatch.setenv("ODD_TOKEN", ODD)
    for form in FORMS.values():
        assert "ed_k1y" not in redact_text(form(ODD))
