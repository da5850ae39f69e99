import number_tasks
import pytest

from eiw import errors
from eiw.data import task_reader

TASK = number_tasks.TASK


def open_task(name=TASK, modules=("number_tasks",), **options):
    return task_reader.TaskReader(name, modules, **options)


def test_facts_are_the_tasks():
    facts = open_task().facts("train")
    assert (facts.name, facts.compressor["name"], facts.vocab_size) == (TASK, "bytes", 256)
    assert len(facts.fingerprint) == 64


@pytest.mark.parametrize(
    "options, message",
    [
        ({"name": "test_number"}, "Did you mean test_numbers?"),
        ({"modules": ["no_such"]}, "--module_import=no_such: No module named 'no_such'"),
        ({"use_cached": True}, "test_numbers is in none of the caches"),
    ],
    ids=["name", "module", "cache"],
)
def test_what_is_not_there_is_said(options, message):
    with pytest.raises(errors.InputError) as caught:
        open_task(**options)
    assert message in str(caught.value)


def test_what_cannot_be_scored_is_said():
    with pytest.raises(errors.InputError, match="test_numbers has no split validation"):
        open_task().facts("validation")
