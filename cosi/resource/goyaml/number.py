"""Floating-point numbers in Go's spelling: the shortest digits that read back the same, exponents of two digits."""

import math

__all__ = ["format_float"]


def format_float(
    number: float, *, exponent_below: int = -4, exponent_from: int = 6, min_exponent_digits: int = 2
) -> str:
    """Print as Go's YAML and `%v` do; JSON differs in the decimal exponents at which scientific notation begins."""
    if math.isnan(number):
        return "NaN"
    sign = "-" if math.copysign(1, number) < 0 else ""
    if math.isinf(number):
        return "-Inf" if sign else "+Inf"
    digits, exponent = _shortest(abs(number))
    if exponent < exponent_below or exponent >= exponent_from:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        exponent_sign = "-" if exponent < 0 else "+"
        return f"{sign}{digits[0]}{fraction}e{exponent_sign}{abs(exponent):0{min_exponent_digits}}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _shortest(number: float) -> tuple[str, int]:
    """Return the significant digits and the decimal exponent of the first."""
    mantissa, _, power = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = whole + fraction
    digits = padded.lstrip("0")
    exponent = len(whole) - 1 + int(power or 0) - (len(padded) - len(digits))
    return (digits.rstrip("0"), exponent) if digits else ("0", 0)
