"""eiw demo: a web page on a run's compressors and models.

    eiw demo --run runs/smoke

Type a text and see how each compressor cuts it into windows and codes, side by side, and what the
run's models go on with. The page is served on this machine alone; Ctrl-C ends it. It needs Flask
and cheroot: pip install 'eiw[demo]'.
"""

import ipaddress
import sys

from absl import flags

from eiw import errors


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw demo`."""
    flags.DEFINE_string("run", None, "Folder of a run.", required=True, flag_values=values)
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "IP address to listen on; any but a loopback one lets other machines in.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "port",
        8000,
        "Port to listen on; 0: any that is free.",
        lower_bound=0,
        upper_bound=65_535,
        flag_values=values,
    )
    flags.DEFINE_list(
        "allow_mismatch",
        [],
        "What may differ where a compressor runs M1: m1, backend.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Serves until it is interrupted."""
    try:
        address = ipaddress.ip_address(values.host)
    except ValueError as error:
        raise errors.InputError(
            f"--host={values.host} must be an IP address, such as 127.0.0.1."
        ) from error
    try:
        from eiw.demo import server
    except ModuleNotFoundError as error:
        raise errors.InputError(
            f"eiw demo needs {error.name}, which is not installed: pip install 'eiw[demo]'."
        ) from error
    from eiw.demo import run_folder

    opened = run_folder.RunFolder(values.run, values.allow_mismatch)
    for name, reason in opened.left_out.items():
        _say(f"{name} is left out: {reason}")
    if not address.is_loopback:
        _say(
            f"listening on {address}: whoever reaches this machine can use the page and its "
            "processors; it asks for no password"
        )
    listening = server.listen(server.create_app(opened), str(address), values.port)
    host = f"[{address}]" if address.version == 6 else str(address)
    print(f"eiw demo: http://{host}:{listening.bind_addr[1]} (Ctrl-C ends it)", flush=True)
    try:
        listening.serve()
    except KeyboardInterrupt:
        print("\neiw demo: ended", flush=True)
    finally:
        listening.stop()


def _say(text: str) -> None:
    print(f"eiw demo: {text}", file=sys.stderr, flush=True)
