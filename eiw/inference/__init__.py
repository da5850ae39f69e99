"""Text from a trained M2; what it pays for texts; exact probabilities of bytes."""

from typing import Any


def __getattr__(name: str) -> Any:
    # Not at once: training scores by `contexts`, and is not to wait for what generates.
    if name == "Generator":
        from eiw.inference import generator

        return generator.Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
