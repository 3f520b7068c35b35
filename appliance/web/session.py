"""What one client asked for on a WebSocket; answers go through its queue, in order with events."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from appliance import __version__
from appliance.errors import RequestError, TooLarge
from appliance.streaming.client import Client
from appliance.streaming.hub import Position
from appliance.streaming.limits import BAD_MESSAGE, TOO_MANY
from appliance.streaming.message import EXTENDED
from appliance.streaming.resumption import Resumption
from appliance.streaming.streams import Streams

METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "HELLO", "RESUME")
_BAD_MAX: Final = 20
INVALID: Final = 2
_NO_JSON: Final = 3
PROBLEMS_SHOWN: Final = 10
Number = int | str | None


class Wish(msgspec.Struct, forbid_unknown_fields=False):
    """A stream that a client comes back to, and where it was."""

    stream: str
    epoch: str
    u: int


class Session:
    """The requests of one client."""

    def __init__(self, streams: Streams, client: Client) -> None:
        """Serve `client`."""
        self.client = client
        self._streams = streams
        self._hub = streams.hub
        self._bad = 0

    def receive(self, message: str) -> None:
        """Answer one message."""
        try:
            request = msgspec.json.decode(message)
        except (msgspec.DecodeError, RecursionError) as error:
            self._bad += 1
            if self._bad > _BAD_MAX:
                self._hub.close(self.client, BAD_MESSAGE, "too many messages that are not JSON")
            else:
                self._refuse(None, f"Invalid JSON: {error}", _NO_JSON)
            return
        self._answer(request)

    def is_allowed(self) -> bool:
        """Take in that a frame came; return whether it may be looked at."""
        return self.client.closed is None and not self._hub.refuse_flood(self.client)

    def subscribe_at_start(self, names: Sequence[str]) -> None:
        """Subscribe to the streams named by the URL; only errors are answered."""
        self._subscribe(names, None, quiet=True)

    def _answer(self, request: object) -> None:
        if not isinstance(request, dict):
            self._refuse(None, "Invalid request: must be an object")
            return
        number, method, params = (request.get(key) for key in ("id", "method", "params"))
        if isinstance(number, bool) or not isinstance(number, Number):
            self._refuse(None, "Invalid request: id must be an integer, a string or null")
        elif method == "LIST_SUBSCRIPTIONS":
            self._reply({"result": list(self.client.topics), "id": number})
        elif method == "HELLO":
            self.client.form = self.client.form.said_hello()
            self._reply({"result": greeting(self._hub.epoch), "id": number})
        elif method == "RESUME":
            self._resume(params, number)
        elif method not in METHODS:
            self._refuse(number, f"method must be one of {', '.join(METHODS)}, was {method!r:.64}")
        elif not isinstance(params, list) or not all(isinstance(p, str) for p in params):
            self._refuse(number, 'params must be a list of streams, like ["gold@kline_1m"]')
        elif method == "SUBSCRIBE":
            self._subscribe(params, number)
        else:
            self._unsubscribe(params, number)

    def _subscribe(self, names: Sequence[str], number: Number, quiet: bool = False) -> None:
        """Subscribe to what is known, answer with the errors of the rest, send the last bars."""
        problems, added = [], []
        for name in names:
            try:
                stream = self._streams.parse(name)
                if self._streams.join(self.client, stream):
                    added.append(stream.name)
            except TooLarge as error:
                self._hub.close(self.client, TOO_MANY, str(error))
                return
            except RequestError as error:
                problems.append(f"{name[:64]}: {error}")
        if problems:
            self._refuse(number, "; ".join(problems[:PROBLEMS_SHOWN]))
        elif not quiet:
            self._reply({"result": None, "id": number})
        for name in added:
            self._hub.show(self.client, name, self._streams.newest(name))

    def _unsubscribe(self, names: list[str], number: Number) -> None:
        for name in names:
            try:
                topic = self._streams.parse(name).name
            except RequestError:
                topic = name  # it may have had another meaning when it was subscribed
            self._hub.unsubscribe(self.client, topic)
        self._reply({"result": None, "id": number})

    def _resume(self, params: object, number: Number) -> None:
        """Subscribe, say for each stream whether all that was missed is there, and send it."""
        if self.client.form not in EXTENDED:
            self._refuse(number, 'RESUME must come after {"method":"HELLO","id":0}')
            return
        try:
            wishes = msgspec.convert(params, list[Wish])
        except msgspec.ValidationError as error:
            example = '[{"stream":"gold@kline_1m","epoch":"…","u":1}]'
            self._refuse(number, f"params must be a list like {example}: {error}")
            return
        resumption, answers = Resumption(self._streams, self.client), []
        for wish in wishes:
            answer: dict[str, Any] = {"stream": wish.stream, "recovered": False}
            answers.append(answer)
            try:
                position = Position(wish.epoch, u=wish.u)
                answer["recovered"] = resumption.add(wish.stream, position)
            except TooLarge as error:
                self._hub.close(self.client, TOO_MANY, str(error))
                return
            except RequestError as error:
                answer["error"] = str(error)
        self._reply({"result": answers, "id": number})
        resumption.send()

    def _refuse(self, number: Number, text: str, code: int = INVALID) -> None:
        self._reply({"error": {"code": code, "msg": text}, "id": number})

    def _reply(self, answer: dict[str, Any]) -> None:
        self._hub.send(self.client, msgspec.json.encode(answer))


def greeting(epoch: str) -> dict[str, str]:
    """Return what a client that says HELLO is told."""
    return {"epoch": epoch, "server": f"chart-appliance/{__version__}"}
