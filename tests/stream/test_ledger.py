"""What may be committed of runs: each way in which a book of single offsets goes wrong."""

import random

from faultstream.transport.ledger import Ledger


def test_a_finished_run_is_committed_at_once() -> None:
    """The end of a finished run can be committed, and stays so until more is finished.

    (Counting single offsets, the gap before the last one held the commit up for ever.)
    """
    ledger: Ledger[str] = Ledger()
    ledger.hand_over("p", 99, 100).finish()
    assert ledger.committable("p") == 100
    assert ledger.committable("p") == 100, "a commit that failed is tried again"
    ledger.hand_over("p", 199, 100).finish()
    assert ledger.committable("p") == 200


def test_an_unfinished_run_is_never_committed_past() -> None:
    """Runs finished out of order are not committable before those in front of them.

    (Counting single offsets, finishing only the run up to 299 committed 300, and 100 to 199
    were lost.)
    """
    ledger: Ledger[str] = Ledger()
    runs = [ledger.hand_over("p", last, 100) for last in (99, 199, 299, 399)]
    runs[2].finish()
    assert ledger.committable("p") is None
    runs[0].finish()
    assert ledger.committable("p") == 100
    runs[3].finish()
    assert ledger.committable("p") == 100
    runs[1].finish()
    assert ledger.committable("p") == 400


def test_a_first_run_after_a_gap() -> None:
    """A group without a commit commits nothing before its first run is finished, wherever in
    the log that begins."""
    ledger: Ledger[str] = Ledger()
    first = ledger.hand_over("p", 5_099, 100)
    ledger.hand_over("p", 5_199, 100).finish()
    assert ledger.committable("p") is None
    first.finish()
    assert ledger.committable("p") == 5_200


def test_a_run_that_was_forgotten_commits_nothing() -> None:
    """After a seek or a revocation a late finish of an old run changes no commit and no credit."""
    ledger: Ledger[str] = Ledger()
    old = ledger.hand_over("p", 99, 100)
    ledger.forget(["p"])
    again = ledger.hand_over("p", 99, 100)
    old.finish()
    assert ledger.committable("p") is None
    assert ledger.unfinished("p") == 100
    again.finish()
    assert ledger.committable("p") == 100
    assert ledger.unfinished("p") == 0


def test_credit() -> None:
    """What was handed over and is not finished counts against its own partition alone, once."""
    ledger: Ledger[str] = Ledger()
    run = ledger.hand_over("p", 99, 100)
    ledger.hand_over("q", 9, 10)
    assert (ledger.unfinished("p"), ledger.unfinished("q")) == (100, 10)
    run.finish()
    run.finish()
    run.drop()
    assert (ledger.unfinished("p"), ledger.unfinished("q")) == (0, 10)
    assert ledger.finished == 100
    ledger.forget(["p", "q"])
    assert (ledger.unfinished("q"), ledger.finished) == (0, 100)


def test_against_an_oracle() -> None:
    """In any order of finishing, committable is the end of the longest finished front."""
    chance = random.Random(5)
    for _ in range(200):
        ledger: Ledger[int] = Ledger()
        lasts, runs, last = [], [], -1
        for _ in range(chance.randint(1, 12)):
            last += chance.randint(1, 50)
            lasts.append(last)
            runs.append(ledger.hand_over(0, last, 1))
        done: set[int] = set()
        for index in chance.sample(range(len(runs)), len(runs)):
            runs[index].finish()
            done.add(index)
            front = 0
            while front in done:
                front += 1
            assert ledger.committable(0) == (lasts[front - 1] + 1 if front else None)
