"""An explanation is a tree that reads from effect to cause."""

from cosi.cli.explain import tree
from cosi.journal.codec import to_messages
from cosi.journal.records import Change, Reason, Reconcile, Write
from cosi.resource.metadata import Metadata, Pointer
from cosi.state.event import EventType

GREETING = Metadata("default", "Greetings.x", "hello", version=3)
CONFIG = Metadata("default", "Configs.x", "one", version=1, owner="lost.Controller")
SHOUT = Metadata("default", "Shouts.x", "hello", version=2, owner="x.Shouter")
ITEM = Pointer("default", "Greetings.x", "hello")


def lines(*writes: Write) -> list[str]:
    """The tree without its times."""
    shown = tree(list(to_messages(writes)))
    return [line.rpartition(" at ")[0].removesuffix(",") if " at " in line else line for line in shown]


def test_a_tree_shows_every_cause_and_where_it_ends() -> None:
    causes = (Change(EventType.UPDATED, GREETING), Change(EventType.DESTROYED, CONFIG), Reason.RETRIED)
    written = Reconcile("x.Shouter", 7, 0, causes, 5, ITEM)

    assert lines(Write(SHOUT, written), Write(GREETING, None), Write(CONFIG, None)) == [
        "Shouts.x(default/hello@2)",
        "│ written by x.Shouter in its reconcile 7 of hello",
        "├─ because Greetings.x(default/hello@3) was updated",
        "│  │ written by no controller",
        "├─ because Configs.x(default/one@1) was destroyed",
        "│  │ written by its owner lost.Controller, and why is not known any more",
        "├─ because it had failed on this item and tried again",
        "└─ and 2 more changes",
    ]


def test_what_was_told_is_not_told_again() -> None:
    first = Reconcile("x.Shouter", 1, 0, (Change(EventType.UPDATED, SHOUT),), 1)

    assert lines(Write(SHOUT, first)) == [
        "Shouts.x(default/hello@2)",
        "│ written by x.Shouter in its reconcile 1",
        "└─ because Shouts.x(default/hello@2) was updated",
        "   │ as told above",
    ]
