"""Starts and ends everything around the play: folder, signals, screen, tables, going on."""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from faultstream.demo.ask import AskError
from faultstream.demo.epilogue import print_tables
from faultstream.demo.fleet import Fleet, FleetError, new_ports
from faultstream.demo.pipeline import Pipeline, PipelineError
from faultstream.demo.play import RATE, NotReachedError, Play
from faultstream.demo.process import Setup
from faultstream.demo.screen import LiveScreen, PlainScreen, Screen
from faultstream.demo.stage import Stage

INTERRUPTED: Final = 130


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    fault: str = "both"
    seconds: int = 90
    plain: bool = False
    keep: bool = False


def run(options: Options) -> int:
    """Play the demo; the exit code. Whatever happens, no process is left.

    The folder with data and logs is kept only when the demo failed.
    """
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="faultstream-demo-"))
    code = 1
    try:
        code = asyncio.run(_run(options, console, folder))
    except (asyncio.CancelledError, KeyboardInterrupt):
        console.print("\ninterrupted; everything is stopped")
        code = INTERRUPTED
    finally:
        if code == 1:
            console.print(f"logs and data are kept in {folder}", soft_wrap=True, highlight=False)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


async def _run(options: Options, console: Console, folder: Path) -> int:
    me = asyncio.current_task()
    if me is not None:
        _on_signal(me.cancel)
    journal = folder / "journal"
    journal.mkdir()
    pipeline = Pipeline(folder)
    setup = Setup(ports=new_ports(), brokers=pipeline.brokers, rate=RATE, journal=str(journal))
    fleet = Fleet(setup, folder, secrets={"FAULTSTREAM_SIGNING_KEY": pipeline.signing_key})
    live = console.is_terminal and not options.plain
    screen: Screen = LiveScreen(console) if live else PlainScreen(console)
    try:
        play = Play(options.fault, pipeline, fleet, Stage(fleet, pipeline, screen, options.seconds))
        problem = ""
        with screen:
            try:
                await play.run()
            except (NotReachedError, FleetError, PipelineError, AskError) as exc:
                problem = str(exc)
        await _epilogue(play, console, problem)
        if options.keep and play.ready:
            await _keep(pipeline, console)
        return 1 if problem else 0
    finally:
        began = time.monotonic()
        try:
            await fleet.close()
        finally:
            pipeline.stop()
        if sys.exc_info()[0] is None:
            console.print(f"everything is stopped ({time.monotonic() - began:.1f} s)", style="dim")


async def _epilogue(play: Play, console: Console, problem: str) -> None:
    console.print()
    if play.ready:
        try:
            if problem:
                await play.settle()
            await print_tables(play.clickhouse, console)
        except AskError as exc:
            problem = problem or str(exc)
    if problem:
        console.print(f"[bold red]The demo failed:[/] {problem}", soft_wrap=True)
    else:
        text = f"[bold green]Detected, commanded, carried out, verified, closed[/]: {play.second} s"
        console.print(text, highlight=False)


async def _keep(pipeline: Pipeline, console: Console) -> None:
    console.print("\nThe shop goes on. In another terminal, for example:")
    program = shutil.which("faultstream") or str(Path(sys.executable).with_name("faultstream"))
    asking = f"{program} sql --data {pipeline.folder / 'data'}"
    for question in ("what-was-tried", "one-incident", '"SELECT * FROM top_errors"', "--examples"):
        text = f"  {asking} {question}"
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    console.print(f"Or look at {pipeline.gateway}/", highlight=False)
    console.print("Ctrl-C stops everything.")
    ended = asyncio.Event()
    _on_signal(ended.set)
    await ended.wait()


def _on_signal(call: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError):  # not on every platform
            loop.add_signal_handler(number, call)
