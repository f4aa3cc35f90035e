"""A `pulumi` program that plays what a test wrote down: the real Automation API drives it as it drives the engine.

What it plays lies in plays.json beside it: by command the exit status, what it prints, the engine's events, and what
the stack holds afterwards. It says nothing of what the engine would do: tests/infra/engine asks the engine itself.
"""

import json
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent
COMMANDS = ("preview", "up", "destroy", "refresh", "cancel")


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--non-interactive"]
    plays = json.loads((HERE / "plays.json").read_text())
    with (HERE / "calls").open("a") as file:
        file.write(" ".join(words) + "\n")
    if words == ["version"]:
        print("v3.200.0")  # up to 3.205 the engine writes its events to a file
        return 0
    name = words[0] if words[0] in COMMANDS else " ".join(words[:2])
    asked = {"stack export": plays["deployment"], "stack output": plays["outputs"], "stack history": HISTORY}
    if name in asked:
        print(json.dumps(asked[name]))
        return 0
    play = plays.get(name) or {}
    if isinstance(play, list):  # one after the other
        play, plays[name] = play[0], play[1:] or play[-1:]
    time.sleep(play.get("takes_s", 0))
    if "--event-log" in words:
        with Path(words[words.index("--event-log") + 1]).open("a") as log:
            for number, event in enumerate([*play.get("events", []), {"cancelEvent": {}}]):
                log.write(json.dumps({"sequence": number, "timestamp": 0} | event) + "\n")
    (HERE / "plays.json").write_text(json.dumps(plays | play.get("then", {})))
    print(play.get("stdout", ""))
    print(play.get("stderr", ""), file=sys.stderr)
    return int(play.get("status", 0))


HISTORY = [{"kind": "update", "startTime": "2026-11-23T02:00:00.000Z", "message": "", "environment": {}, "config": {},
            "result": "succeeded"}]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
