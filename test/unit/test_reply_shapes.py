"""Responses of every shape are read for their answer, or refused; nothing in them is guessed."""

import json
import re

import pytest
import reply_shapes

from icpi_ros.llm.client.bodies import Unreadable
from icpi_ros.llm.client.replies import read_reply


@pytest.mark.parametrize("seed", range(4))
def test_the_answer_is_read_whatever_it_is_wrapped_in_and_drafts_never(seed):
    counts = reply_shapes.check(100, seed)
    assert min(counts["changed and read"], counts["changed and refused"]) > 0


def body(**choice):
    return json.dumps({"choices": [choice]}).encode()


def part(text, kind="text"):
    return {"type": kind, "text": text}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (body(message={"content": [part("1 "), part("2")]}), "1 2"),
        (body(message={"content": [part("9 9", "reasoning"), part("1 2")]}), "1 2"),
        (body(message={"content": [{"text": "1 2"}]}), "1 2"),
        (body(message={"content": [part("1 2", "output_text")]}), "1 2"),
        (body(text="1 2", finish_reason="stop"), "1 2"),
        (body(text="1 2", message={"content": None}), "1 2"),
        (body(text="1 2", message={"content": "1 2"}), "1 2"),
        (b"\n\n  \n" + body(text="1 2"), "1 2"),
        (b"\r\n: OPENROUTER PROCESSING\r\n\r\n" + body(text="1 2"), "1 2"),
        (b": a\n: b {}\n" + body(text="1 2") + b"\n\n: bye", "1 2"),
        (b"\xef\xbb\xbf" + body(text="1 2"), "1 2"),
        (body(text="1 2").decode().encode("utf-16"), "1 2"),
        (body(text="1 2") + b"\ndata: [DONE]\n\n", "1 2"),
        (b": hi\n\ndata: " + body(message={"content": "1 2"}) + b"\n\ndata: [DONE]", "1 2"),
        (b"event: message\ndata: " + body(delta={"content": "1 2"}) + b"\n\ndata: [DONE]", "1 2"),
        (b"data: " + body(text="1") + b"\n\ndata: " + body(text=" 2", finish_reason="stop"), "1 2"),
        (b"data: " + body(text="1 ") + b"\ndata: " + body(text="2") + b"\ndata: [DONE]\n", "1 2"),
        (b'data: {"choices":\ndata: [{"text": "1 2"}]}\n\ndata: [DONE]\n\n', "1 2"),
        (
            b"data: "
            + body(delta={"content": [part("9", "thinking")]})
            + b"\n\ndata: "
            + body(delta={"content": "1 2"}, finish_reason="stop"),
            "1 2",
        ),
    ],
)
def test_bodies_that_are_read(data, text):
    assert read_reply(data).texts == (text,)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (body(message={"reasoning_content": "1 2"}), "with reasoning_content$"),
        (body(message={"content": "", "reasoning": "1 2"}), "with reasoning$"),
        (body(message={"content": " ", "thinking": "1 2"}), "with thinking$"),
        (
            body(message={"content": None, "tool_calls": [{}], "reasoning": "x"}),
            "with reasoning and tool_calls$",
        ),
        (body(message={"function_call": {"arguments": "1 2"}}), "with function_call$"),
        (body(message={"content": [part("1 2", "thinking")]}), "with content in another form$"),
        (body(message={"content": {"output": [1, 2]}}), "with content in another form$"),
        (body(message={"content": [1, 2]}), "with content in another form$"),
        (body(message={"content": None}), "without text$"),
        (body(message={"content": [part("1 2"), part("3")]}), "divide a number"),
        (body(text="1 2", message={"content": "3 4"}), "two texts"),
        (body(text="1 2", finish_reason="length"), "token limit"),
        (body(text="1 2", finish_reason="MAX_TOKENS"), "token limit"),
        (body(text="maybe [1, 2] or", finish_reason="length"), "token limit"),
        (body(text="1 2", finish_reason="content_filter"), "content filter"),
        (b"data: " + body(delta={"content": "1 2"}) + b"\n\n", "broke a stream off"),
        (
            b"data: " + body(delta={"reasoning_content": "1 2"}) + b"\n\ndata: [DONE]\n\n",
            "with reasoning_content$",
        ),
    ],
)
def test_choices_without_an_answer_say_why(data, fault):
    reply = read_reply(data)
    assert reply.texts == ()
    assert re.search(fault, reply.faults[0])


LOST = [b"", b" \n", b": x", b": x\n\n", b'{"choices": null}', b'{"choices": []}']


@pytest.mark.parametrize(
    ("data", "status", "retry"),
    [
        *[(data, 200, True) for data in LOST],
        (b'{"error": {"code": 429}}', 429, False),
        (b'{"error": {"code": "503", "type": "invalid"}}', 503, False),
        (b'{"error": {"code": null, "type": "rate_limit_error"}}', 429, False),
        (b'{"error": {"type": "authentication_error"}}', 401, False),
        (b'{"error": {"code": "context_length_exceeded"}}', 400, False),
        (b'{"error": {"status": "UNAVAILABLE"}}', 503, False),
        (b'{"error": "stopped"}', 500, False),
        (b'{"error": true, "choices": [{"text": "1 2"}]}', 500, False),
        (b'{"errors": [{"code": 404}]}', 404, False),
        (b'[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]', 429, False),
        (b'{"object": "error", "message": "x", "code": 400}', 400, False),
        (b'{"status": 502, "message": "x"}', 502, False),
        (b'{"detail": "x"}', 500, False),
        (b'{"choices": [{"error": {"code": 502}}]}', 502, False),
        (b'{"choices": [{"finish_reason": "error", "text": "1 2"}]}', 500, False),
        (b'data: {"error": {"code": 429}}\n\n', 429, False),
        (
            b"data: " + body(delta={"content": "1 2"}) + b'\n\ndata: {"error": {"code": 502}}\n\n',
            502,
            False,
        ),
        (b"{}", 200, False),
        (b'{"choices": [{"text": "1 2"}], "choices": [{"text": "3 4"}]}', 200, False),
        (b'{"choices": [{"message": {"content": "1 2", "content": "3 4"}}]}', 200, False),
        (b'{"choices": [{"message": {"content": null, "content": "3 4"}}]}', 200, False),
        (
            b'{"choices": [{"text": "1", "finish_reason": "length", "finish_reason": "stop"}]}',
            200,
            False,
        ),
        (b'{"choices": [{"message": {"refusal": "no", "refusal": null}}]}', 200, False),
        (b'{"error": {"code": 429}, "error": null, "choices": [{"text": "1 2"}]}', 200, False),
        (body(text="1 2") + body(text="3 4"), 200, False),
        (body(text="1 2")[:-3], 200, False),
        (b"data: " + body(text="1 2")[:-3], 200, False),
    ],
)
def test_bodies_without_a_reply_have_a_status(data, status, retry):
    """A status other than 200 decides itself whether to try again."""
    with pytest.raises(Unreadable) as caught:
        read_reply(data)
    assert (caught.value.status, caught.value.retry) == (status, retry)


def test_an_error_of_one_choice_leaves_the_others():
    data = {"choices": [{"text": "1 2"}, {"error": {"code": 502}}]}
    reply = read_reply(json.dumps(data).encode())
    assert (reply.texts, reply.choices) == (("1 2",), 2)
    assert "with an error" in reply.faults[0]
