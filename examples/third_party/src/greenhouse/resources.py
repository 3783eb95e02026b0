"""What a greenhouse consists of: readings come in, windows follow, and the climate sums them up."""

from __future__ import annotations

from cosi import Definition, PrintColumn, Resource, Spec, field

NAMESPACE = "greenhouse"


class ReadingSpec(Spec):
    """What a thermometer says."""

    celsius: int = field(1, default=0)


class Reading(Resource[ReadingSpec]):
    """A thermometer; written by whoever reads it."""

    definition = Definition(
        type="Readings.greenhouse.example", default_namespace=NAMESPACE, columns=(PrintColumn("Celsius", "{.celsius}"),)
    )


class WindowSpec(Spec):
    """Whether a window should be open."""

    open: bool = field(1, default=False)


class Window(Resource[WindowSpec]):
    """The window beside the thermometer of the same id."""

    definition = Definition(
        type="Windows.greenhouse.example", default_namespace=NAMESPACE, columns=(PrintColumn("Open", "{.open}"),)
    )


class ClimateSpec(Spec):
    """How many windows there are, and how many of them are open."""

    windows: int = field(1, default=0)
    open: int = field(2, default=0)


class Climate(Resource[ClimateSpec]):
    """The greenhouse as a whole; there is one."""

    definition = Definition(
        type="Climates.greenhouse.example",
        default_namespace=NAMESPACE,
        columns=(PrintColumn("Windows", "{.windows}"), PrintColumn("Open", "{.open}")),
    )
