"""Dead letters put back lane after lane, and what that came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chalicelib.letters.letters import DeadQueue, Letter, Look, Sought
from chalicelib.letters.redrive import Pace, Redrive
from chalicelib.letters.verdict import Judge, Verdict
from chalicelib.stage import Stage
from cli.terminal import Progress

INTERRUPTED: Final = 130


class Outcome:
    """What a redrive came to, over all lanes."""

    def __init__(
        self,
        runs: Sequence[Redrive],
        verdicts: Sequence[tuple[Letter, Verdict]],
        looks: Sequence[Look],
        interrupted: bool = False,
    ) -> None:
        ran = {run.queue.lane for run in runs}
        self.moved = [letter for run in runs for letter in run.moved]
        self.nothing_to_send = sum(run.nothing_to_send for run in runs)
        self.still_failing = [pair for run in runs for pair in run.still_failing]
        # Of lanes that had nothing to move, what the look found is what there is.
        self.still_failing += [
            (letter, verdict)
            for letter, verdict in verdicts
            if letter.lane not in ran and verdict.fails is not None
        ]
        self.back_again = [letter for run in runs for letter in run.back_again]
        self.refused = [pair for run in runs for pair in run.refused]
        self.undeleted = sum(run.undeleted for run in runs)
        self.unseen = sum(run.queue.unseen for run in runs if run.whole)
        self.unseen += sum(each.unseen for each in looks if each.whole and each.lane not in ran)
        self.interrupted = interrupted

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        left = self.still_failing or self.back_again or self.refused or self.undeleted
        return 1 if left or self.unseen else 0


def move(
    stage: Stage,
    judge: Judge,
    wanted: Callable[[Letter], bool],
    lanes: Sequence[str],
    looks: Sequence[Look],
    verdicts: Sequence[tuple[Letter, Verdict]],
    force: bool,
    rate: int | None,
    ids: Sequence[str],
) -> Outcome:
    """Redrive these lanes one after the other; Ctrl-C ends it in good order."""
    pace = Pace(rate) if rate else None
    expected = sum(len(each.letters) + each.unseen for each in looks)
    sought = Sought(ids)
    runs: list[Redrive] = []
    progress = Progress()
    try:
        for lane in lanes:
            with DeadQueue(stage, lane) as queue:
                before = sum(len(run.moved) for run in runs)
                run = Redrive(
                    queue, stage.sqs, stage.queue_url(lane), judge, wanted, force, pace, sought
                )
                runs.append(run)
                run.run(
                    lambda moved, before=before, lane=lane: progress.show(  # type: ignore[misc]
                        f"{before + moved} of at most {expected} put back (lane {lane})"
                    )
                )
    except KeyboardInterrupt:
        return Outcome(runs, [], [], interrupted=True)
    finally:
        progress.end()
    return Outcome(runs, verdicts, looks)
