"""The tail of the chi-square distribution. Knows no Django."""

import math


def survival(statistic: float, degrees: int) -> float:
    """The probability that chi-square with so many degrees of freedom, at least 1, exceeds this.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 26.4.4 (odd) and 26.4.5 (even
    degrees): a finite sum, whose terms are e^-h h^a / Γ(a + 1) with h = statistic / 2 and
    a = ν/2 - 1, ν/2 - 2, ... ≥ 0, and for odd degrees erfc(√h) besides. Each term is made in
    logarithms, so that nothing overflows; what is too small for a float is 0.
    """
    half, odd = statistic / 2, degrees % 2
    if half <= 0:
        return 1.0
    terms = [math.erfc(math.sqrt(half))] if odd else []
    for index in range(degrees // 2):
        power = index + odd / 2
        terms.append(math.exp(power * math.log(half) - half - math.lgamma(power + 1)))
    return min(1.0, math.fsum(terms))
