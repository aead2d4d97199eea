"""What every command shares: errors become one clear line and an exit code."""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cvcore.errors import CvcoreError, hint
from cvcore.interrupt import Interrupted

Run = Callable[[argparse.Namespace], int]

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class HelpText(argparse.HelpFormatter):
    """Help in which each example has a line of its own, to be copied as it stands.

    A description ends in ``Example: COMMAND``; after three spaces there may be ``or: COMMAND``,
    ``or, in another case: COMMAND``, or what the command does.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        said, _, examples = text.partition("Example: ")
        filled = super()._fill_text(said, width, indent)
        if not examples:
            return filled
        lines = [filled, "", "Example:"]
        for part in re.split(r" {3,}", f"or: {examples}"):
            case, found, command = part.partition(": ")
            if not found or not case.startswith("or"):
                lines.append(f"    {part}")
                continue
            lines += [f"{case}:"] if case != "or" else []
            lines.append(f"  {command}")
        return "\n".join(f"{indent}{line}" for line in lines)


class Parser(argparse.ArgumentParser):
    """A parser that answers an option it does not know with the nearest ones."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": HelpText, **options})

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but for what it says of unknown options."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = sorted(_options(self))
            # What follows an unknown option is its value, and not worth a word.
            words = [word for word in unknown if word.startswith("--")] or unknown
            said = [f"{word}{hint(word.partition('=')[0], known)}" for word in words]
            self.error(f"unknown: {', '.join(said)}")
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse's, but the nearest choices come first, and once."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        message = f"no {value!r} here{hint(str(value), choices)}. There are: {', '.join(choices)}"
        # The name of an action with sub-commands is the list of them, which stands there already.
        named = None if isinstance(action, argparse._SubParsersAction) else action
        raise argparse.ArgumentError(named, message)


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of a parser and of its actions' parsers."""
    options = {name for name in parser._option_string_actions if name.startswith("--")}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                options |= _options(inner)
    return options


def main_of(
    verb: str,
    description: str,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Run,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse and run a verb that is a command of its own."""
    parser = Parser(prog=verb, description=description)
    add_arguments(parser)
    return guarded(run, parser.parse_args(argv))


def share_processor() -> None:
    """Let idle OpenMP threads sleep soon; spinning on, they starve the loader and other jobs.

    About 20 microseconds of spinning cost nothing on a quiet machine and are twenty times as fast
    on a busy one. OpenMP reads this once, when torch is imported, so it comes first; a value that
    the user set stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


@contextmanager
def imports_kept() -> Iterator[None]:
    """For the first import of torch: modules are not searched for garbage, now or ever.

    Modules stay until the process ends. Going through what hundreds of them make, again and again
    while it grows, is a fifth of the time that they take to import; left out of later searches,
    they also stay in memory that the loader's workers share. What is garbage by then, some
    megabytes, stays too. A process that has torch already gains nothing and is left as it is.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def guarded(run: Run, args: argparse.Namespace) -> int:
    """Run; an error that names what, where and the remedy is printed without its traceback."""
    share_processor()
    try:
        return run(args)
    except CvcoreError as error:
        print_error(error)
        return EXIT_BAD_INPUT
    except OSError as error:
        if error.filename is None:
            raise
        print_error(error)  # a path that is absent, a folder, full or not ours; it names the path
        return EXIT_BAD_INPUT
    except Interrupted as stop:
        sys.stderr.write(f"{stop}\n")
        return stop.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED


def print_error(error: BaseException) -> None:
    """The message and its notes on standard error, wrapped only on a terminal."""
    console = Console(stderr=True, soft_wrap=not sys.stderr.isatty())
    console.print(Text("error: ", style="bold red").append(str(error), style="not bold default"))
    for note in getattr(error, "__notes__", ()):
        console.print(f"  {escape(note)}")
