"""The `eiw` command: finds the subcommand, parses its flags, turns errors into one clear line."""

import difflib
import importlib
import importlib.metadata
import io
import os
import re
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence

from absl import flags

from eiw import errors, garbage

# Each is a module of eiw.commands, imported only when it is called: `eiw --help` stays quick.
COMMANDS = {
    "smoke": "the main job end to end: train M1, compress, train M2, report",
    "train": "train one model, M1 or M2, from gin files",
    "sweep": "train M2 on methods x sizes x learning rates x seeds",
    "compile": "make a compressor, of any method, from a trained M1 and text",
    "compress": "text as token files of one compressor; SeqIO tasks as offline caches",
    "convert": "checkpoints between our trainer and T5X's",
    "evaluate": "bits/byte of trained models, and tests between them; compression; FLOPs/byte",
    "benchmark": "speed: tokenizers and coders beside others, training, generation",
    "generate": "text from a trained M2, as it is decoded",
    "demo": "a web page: windows of a text you type, and what the models go on with",
    "report": "tables and figures from results.jsonl",
}
_INTERRUPTED = 130
# Those that keep what they had done when they were interrupted; the others begin anew.
_GO_ON = ("smoke", "train", "sweep")
# What commands import when they are given a task; token files need none of it.
_SEQIO = ("seqio", "tensorflow")
# What absl adds to the help of a flag that may be repeated, and to every set of flags.
_ABSL_MULTI = ";\n    repeat this option"
_ABSL_FLAGS = {flag.help for flag in flags.FlagValues()._flags().values()}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `eiw COMMAND [flags]`; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's encoding lacks is no error.
        sys.stdout.reconfigure(errors="replace")
    try:
        status = _main(list(sys.argv[1:] if argv is None else argv))
        # Here, not when the interpreter ends: what a pipe does not take must show now.
        print(end="", flush=True)
        return status
    except KeyboardInterrupt:
        # While a command was imported; a running one says more.
        print("\neiw: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except OSError as error:
        # Of a broken pipe the reader left (`eiw ... | head`): there is nothing to say.
        if not isinstance(error, BrokenPipeError):
            print(f"eiw: the output cannot be written: {error.strerror}.", file=sys.stderr)
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        return 1


def _main(argv: list[str]) -> int:
    if not argv or argv[0] in ("--help", "-h", "help"):
        print(_usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"eiw {importlib.metadata.version('eiw')}")
        return 0
    name = argv.pop(0)
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `eiw {close[0]}`?" if close else "see `eiw --help`"
        print(f"eiw: no command {name!r}; {hint}", file=sys.stderr)
        return 2
    return _run(name, argv)


def _run(name: str, argv: Sequence[str]) -> int:
    with garbage.kept():
        command = importlib.import_module(f"eiw.commands.{name}")
    values = flags.FlagValues()
    flags.DEFINE_boolean("debug", False, "Show the traceback of an error.", flag_values=values)
    command.define_flags(values)
    # Before parsing, which insists on required flags.
    if not {"--help", "-h"}.isdisjoint(argv):
        print(f"{command.__doc__.strip()}\n\nFlags:\n{_flags_help(values)}")
        return 0
    try:
        rest = values([f"eiw {name}", *_rewrite_gin_flags(argv)])[1:]
        # Some commands choose among several jobs: `eiw evaluate flops`.
        jobs = getattr(command, "ARGUMENTS", ())
        chosen = [_choose(rest, jobs)] if jobs else []
        if rest[len(chosen) :]:
            raise flags.Error(f"unexpected argument {rest[len(chosen)]!r}")
        if isinstance(jobs, Mapping):
            _refuse_others_flags(values, jobs, *chosen)
        _refuse_empty_names(values, getattr(command, "MAY_BE_EMPTY", ()))
    except flags.Error as error:
        print(f"eiw {name}: {_one_line(error)}; see `eiw {name} --help`", file=sys.stderr)
        return 2
    try:
        command.run(values, *chosen)
        return 0
    except KeyboardInterrupt:
        hint = "; run it again to go on" if name in _GO_ON else ""
        print(f"\neiw {name}: interrupted{hint}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        raise  # no error: see main
    except Exception as error:
        if values.debug:
            raise
        line = " ".join(str(error).split())
        if isinstance(error, ModuleNotFoundError) and error.name in _SEQIO:
            line = f"{error.name} is not installed: pip install 'eiw[seqio]'."
        elif not isinstance(error, errors.InputError):
            line = f"{type(error).__name__}: {line} (--debug shows where)"
        print(f"eiw {name}: error: {line}", file=sys.stderr)
        return 1


def _one_line(error: flags.Error) -> str:
    """absl's message; of required flags it has a line each."""
    missing = re.findall(r"^flag (--\w+)=None: .*other than None", str(error), re.MULTILINE)
    line = f"give {', '.join(missing)}" if missing else " ".join(str(error).split())
    return re.sub(r"\. Did you mean: (\S+) \?$", r"; did you mean --\1?", line)


def _flags_help(values: flags.FlagValues) -> str:
    """Every flag of the command with its default, in the order of their names."""
    lines, required = [], _required(values)
    for name in sorted(values):
        flag = values[name]
        if flag.help in _ABSL_FLAGS:
            continue
        given = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
        default = "" if given in (None, False, "") else f" (default {given})"
        needed = " (required)" if name in required else ""
        spelt = f"--[no]{name}" if flag.boolean else f"--{name}"
        text = f"  {spelt}: {flag.help.partition(_ABSL_MULTI)[0]}{default}{needed}"
        lines.append(textwrap.fill(text, 88, subsequent_indent=" " * 6))
    return "\n".join(lines)


def _required(values: flags.FlagValues) -> list[str]:
    """The flags without which the command does not begin."""
    try:
        values.validate_all_flags()
    except flags.Error as error:
        return re.findall(r"^flag --(\w+)=None: ", str(error), re.MULTILINE)
    return []


def _choose(rest: Sequence[str], choices: Collection[str]) -> str:
    if not rest:
        raise flags.Error(f"name one of: {', '.join(choices)}")
    if rest[0] not in choices:
        close = difflib.get_close_matches(rest[0], choices, n=1) or choices
        raise flags.Error(f"no {rest[0]!r}; did you mean {' or '.join(close)}?")
    return rest[0]


def _refuse_others_flags(
    values: flags.FlagValues, jobs: Mapping[str, Collection[str]], chosen: str
) -> None:
    """A flag that only other jobs read is a mistake, and not to be taken for heard."""
    for name in sorted(set().union(*jobs.values()).difference(jobs[chosen])):
        if values[name].present:
            raise flags.Error(f"--{name} has no meaning with {chosen}")


def _refuse_empty_names(values: flags.FlagValues, allowed: Collection[str]) -> None:
    """`--output=$UNSET` would mean the folder one stands in."""
    for name in sorted(values):
        if values[name].present and values[name].value == "" and name not in allowed:
            raise flags.Error(f"--{name} is empty")


def _rewrite_gin_flags(argv: Sequence[str]) -> list[str]:
    """T5X's spelling `--gin.NAME=VALUE` becomes a repeated flag that absl can parse."""
    return [
        f"--gin_bindings={argument.removeprefix('--gin.')}"
        if argument.startswith("--gin.")
        else argument
        for argument in argv
    ]


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "eiw: language models over neurally compressed text",
            "",
            "Usage: eiw COMMAND [flags]; each command has --help. eiw --version tells its version.",
            "",
            *lines,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
