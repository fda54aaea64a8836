"""The requests of one completion, each with its charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from icpi_ros.llm.client.bodies import Unreadable
from icpi_ros.llm.client.budget import Meter, Spending
from icpi_ros.llm.client.completer import Prompt
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.client.replies import Reply, Tokens, read_reply
from icpi_ros.llm.client.responses import Failure, classify, classify_unreadable
from icpi_ros.llm.client.token_count import count_tokens


class CompletionMeter:
    """Meter of one completion: sends its requests and charges the run's meter call by call.

    It is used by one thread only, so nothing races.  It must be closed.

    Attributes:
        spent: by this completion so far; of the time that others wait, too, its share.
    """

    def __init__(self, meter: Meter, profile: Profile) -> None:
        self.spent = Spending()
        self._meter, self._profile = meter, profile
        self._is_open = True
        self._counted = meter.begin_waiting()

    async def send(
        self, endpoint: Endpoint, prompt: Prompt, fields: dict[str, Any]
    ) -> Reply | Failure:
        """Send one request and charge it, however it ends.

        Raises:
            BudgetSpent: it may not be sent.
        """
        self.begin()
        reply, billed = None, True
        headers: Mapping[str, str] = {}
        try:
            body, headers = await endpoint.send(fields, prompt.wire)
            reply = read_reply(body)
            return reply
        except Unreadable as exc:
            failure = classify_unreadable(exc, endpoint.addressee, headers)
            billed = failure.lost
            return failure
        except Exception as exc:
            failure = classify(exc, endpoint.addressee)
            billed = failure.lost
            return failure
        finally:
            self.end(prompt, reply, billed)

    def begin(self) -> None:
        """Charge a call that is about to be made: those made meanwhile see it.

        Raises:
            BudgetSpent: it may not be made.
        """
        cost = Spending(calls=1, seconds=self._share())
        self._meter.pay(cost)  # at once: other completions of the run may be in other threads
        self.spent = self.spent + cost

    def end(self, prompt: Prompt, reply: Reply | None, billed: bool) -> None:
        """Charge what the call cost.

        Args:
            prompt: that was sent.
            reply: None = there is none.
            billed: False if the server did not work on the request, as far as one can know.
        """
        if not billed:
            self._charge(self._cost(Tokens(), estimated=False))
        elif reply is None or reply.tokens is None:
            self._charge(self._cost(self._guess(prompt, reply), estimated=True))
        else:
            self._charge(self._cost(reply.tokens, estimated=False))

    def close(self) -> None:
        """Charge the time since the last call; closing twice is allowed."""
        if self._is_open:
            self._is_open = False
            self._charge(Spending(seconds=self._share()))
            self._meter.end_waiting()

    def _guess(self, prompt: Prompt, reply: Reply | None) -> Tokens:
        kind = Endpoint.of(self._profile).tokeniser
        texts = reply.texts if reply else ()
        return Tokens(prompt.tokens(kind), sum(count_tokens(text, kind) for text in texts))

    def _cost(self, tokens: Tokens, estimated: bool) -> Spending:
        return Spending(
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            cached_tokens=tokens.cached,
            estimated=int(estimated),
            money=self._profile.money(tokens.prompt, tokens.completion, tokens.cached),
            seconds=self._share(),
        )

    def _share(self) -> float:
        """Return this completion's share of the time since the last call of this [s]."""
        before, self._counted = self._counted, self._meter.shared_time()
        return self._counted - before

    def _charge(self, cost: Spending) -> None:
        self.spent = self.spent + cost
        self._meter.charge(cost)
