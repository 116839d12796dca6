"""The routes of the scoring server: GET / for probes, POST /score for clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from scripts.conversation import answer as answers_module
from scripts.conversation.answer import END, EVENTS, OUTPUT, event, written
from scripts.errors import one_line
from scripts.local.scoring import contract, scorer
from scripts.local.scoring.batcher import Full, Ticket
from scripts.local.scoring.contract import BadRequest, Question
from scripts.local.scoring.scorer import ScriptError

MOST_BYTES = 4 * 2**20  # of a request; what it takes as objects is a multiple. What Azure's servers take: unverified
UNFINISHED = "\ufffd"  # what a tokenizer writes for a character whose bytes are not complete yet


class Server:
    """The application's state: `batcher` is None until the model is loaded, `shape` is that of the answers.

    With another shape than that of the registry's own image, requests are read as Azure's no-code scorer does.
    """

    def __init__(self, log: Callable[[str], None], shape: str = OUTPUT) -> None:
        self.log, self.shape = log, shape
        self.batcher: Any = None

    def application(self) -> Starlette:
        """Returns the ASGI application."""
        return Starlette(routes=[Route("/", self.health), Route("/score", self.score, methods=["POST"])])

    async def health(self, _: Request) -> Response:
        """Readiness and liveness: 503 while the model loads."""
        return PlainTextResponse("Healthy") if self.batcher else PlainTextResponse("Loading", 503)

    async def score(self, request: Request) -> Response:
        """Answers a request; 400 with a sentence for the client's mistakes. What was said is never logged."""
        begun = time.monotonic()
        if not self.batcher:
            return self._refuse(503, "NotReady", "The model is still loading; ask again in a few seconds.", begun)
        try:
            question = self._read(await _body(request))
            # Templates and tokenizers are quick, but a long conversation should not hold up the other requests.
            answers = await asyncio.to_thread(self._prepare, question)
            tickets = self.batcher.join(answers)
        except BadRequest as error:
            return self._refuse(400, "BadRequest", str(error), begun)
        except ScriptError as error:
            self.log(f"scoring script: {error}")
            return self._refuse(500, "SystemError", scorer.FAILED_SCRIPT, begun)
        except ClientDisconnect:
            return Response(status_code=499)
        except Full:
            return self._refuse(503, "Busy", "Too many requests wait already; ask again in a few seconds.", begun)
        except Exception as error:  # a bug of ours
            self.log(f"the request was not understood: {type(error).__name__}: {one_line(error)}")
            return self._refuse(500, "SystemError", "The server failed to read the request; see its log.", begun)
        if question.parameters.stream:
            return StreamingResponse(self._stream(tickets[0], begun), media_type=EVENTS)
        try:
            texts = await _while_connected(request, [self._whole(ticket) for ticket in tickets])
        except asyncio.CancelledError:
            self._record(499, answers, begun)
            return Response(status_code=499)
        except Exception:  # the batcher has logged it
            return self._refuse(500, "SystemError", "The model failed while answering; the log has the reason.", begun)
        finally:
            for ticket in tickets:
                ticket.gone = True
        self._record(200, answers, begun)
        return JSONResponse(answers_module.body(texts, self.shape, question.rows))

    def _read(self, body: bytes) -> Question:
        if self.shape == OUTPUT:
            return contract.parse(body)
        question, ignored = scorer.parse(body)
        if ignored:
            self.log(f"scoring script: no effect: {contract.shown(', '.join(ignored))}")
        return question

    def _prepare(self, question: Question) -> list[Any]:
        prepare = self.batcher.generator.prepare
        try:
            return [prepare(conversation, question.parameters) for conversation in question.conversations]
        except BadRequest as error:
            if self.shape == OUTPUT:
                raise
            raise ScriptError(str(error)) from None

    async def _whole(self, ticket: Ticket) -> str:
        text, answer = "", ticket.answer
        async for text, _ in self.batcher.follow(ticket):  # noqa: B007 - the last one is the whole text
            pass
        if answer.parameters.return_full_text and self.shape == OUTPUT:  # the scorer takes the last turn alone
            return self.batcher.generator.tokenizer.decode(answer.prompt, skip_special_tokens=True) + text
        return text

    async def _stream(self, ticket: Ticket, begun: float) -> AsyncIterator[str]:
        """Server-sent events: {"output": new text} as it comes, then {"output": "", "finish_reason"}, then [DONE]."""
        answer, status, sent = ticket.answer, 499, ""
        # The last ones may be the beginning of a stop string.
        held = max((len(stop) for stop in answer.parameters.stop), default=1) - 1
        try:
            async for text, ended in self.batcher.follow(ticket):
                safe = text if ended else text[: len(text) - held].rstrip(UNFINISHED)
                if len(safe) > len(sent):
                    yield event(written(safe[len(sent) :]))
                    sent = safe
            yield event(written("", finish_reason=answer.reason))
            yield END
            status = 200
        except Exception:  # the status line is long gone: the error is the last event
            status = 500
            yield event({"error": {"code": "SystemError", "message": "The model failed while answering."}})
        finally:
            self._record(status, [answer], begun)

    def _refuse(self, status: int, code: str, message: str, begun: float) -> Response:
        self.log(f"POST /score {status} {1000 * (time.monotonic() - begun):.0f} ms")
        error = {"error": {"code": code, "message": message}} if self.shape == OUTPUT else {"message": message}
        return JSONResponse(error, status, {"Retry-After": "2"} if status == 503 else None)

    def _record(self, status: int, answers: list[Any], begun: float) -> None:
        seconds, tokens = time.monotonic() - begun, sum(len(answer.tokens) for answer in answers)
        self.log(
            f"POST /score {status} {1000 * seconds:.0f} ms, {sum(len(answer.prompt) for answer in answers)} prompt "
            f"tokens, {tokens} new tokens, {tokens / max(seconds, 1e-9):.1f} tokens/s"
        )


async def _body(request: Request) -> bytes:
    """Returns the body; a `BadRequest` as soon as it is longer than any that is answered."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BadRequest(f"The body has more than {MOST_BYTES} bytes, the most that this server reads.")
    return bytes(body)


async def _while_connected(request: Request, work: list[Any]) -> list[str]:
    """Runs coroutines to their results; CancelledError as soon as the client is gone, so that its row is freed."""

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    answering = asyncio.ensure_future(asyncio.gather(*work))
    listening = asyncio.ensure_future(hang_up())
    await asyncio.wait((answering, listening), return_when=asyncio.FIRST_COMPLETED)
    if not answering.done():
        answering.cancel()
    listening.cancel()
    return await answering
