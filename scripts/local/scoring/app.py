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
from scripts.local.scoring import contract, scorer
from scripts.local.scoring.contract import BadRequest, Question
from scripts.local.scoring.scorer import ScriptError

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
            question = self._read(await request.body())
            # Templates and tokenizers are quick, but a long conversation should not hold up the other requests.
            answers = await asyncio.to_thread(self._prepare, question)
        except BadRequest as error:
            return self._refuse(400, "BadRequest", str(error), begun)
        except ScriptError as error:
            self.log(f"scoring script: {error}")
            return self._refuse(500, "SystemError", scorer.FAILED_SCRIPT, begun)
        except ClientDisconnect:
            return Response(status_code=499)
        if question.parameters.stream:
            return StreamingResponse(self._stream(answers[0], begun), media_type=EVENTS)
        try:
            texts = await _while_connected(request, [self._whole(answer) for answer in answers])
        except asyncio.CancelledError:
            self._record(499, answers, begun)
            return Response(status_code=499)
        except Exception:  # the batcher has logged it
            return self._refuse(500, "SystemError", "The model failed while answering; the log has the reason.", begun)
        self._record(200, answers, begun)
        return JSONResponse(answers_module.body(texts, self.shape, question.rows))

    def _read(self, body: bytes) -> Question:
        if self.shape == OUTPUT:
            return contract.parse(body)
        question, ignored = scorer.parse(body)
        if ignored:
            self.log(f"scoring script: no effect: {', '.join(ignored)}")
        return question

    def _prepare(self, question: Question) -> list[Any]:
        prepare = self.batcher.generator.prepare
        try:
            return [prepare(conversation, question.parameters) for conversation in question.conversations]
        except BadRequest as error:
            if self.shape == OUTPUT:
                raise
            raise ScriptError(str(error)) from None

    async def _whole(self, answer: Any) -> str:
        text = ""
        async for text, _ in self.batcher.answer(answer):  # noqa: B007 - the last one is the whole text
            pass
        if answer.parameters.return_full_text and self.shape == OUTPUT:  # the scorer takes the last turn alone
            return self.batcher.generator.tokenizer.decode(answer.prompt, skip_special_tokens=True) + text
        return text

    async def _stream(self, answer: Any, begun: float) -> AsyncIterator[str]:
        """Server-sent events: {"output": new text} as it comes, then {"output": "", "finish_reason"}, then [DONE]."""
        status, sent = 499, ""
        # The last ones may be the beginning of a stop string.
        held = max((len(stop) for stop in answer.parameters.stop), default=1) - 1
        try:
            async for text, ended in self.batcher.answer(answer):
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
        return JSONResponse(error, status)

    def _record(self, status: int, answers: list[Any], begun: float) -> None:
        seconds, tokens = time.monotonic() - begun, sum(len(answer.tokens) for answer in answers)
        self.log(
            f"POST /score {status} {1000 * seconds:.0f} ms, {sum(len(answer.prompt) for answer in answers)} prompt "
            f"tokens, {tokens} new tokens, {tokens / max(seconds, 1e-9):.1f} tokens/s"
        )


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
