# Invented prices of invented companies. Pure: the same seed, the same market.
import random

COMPANIES = {
    "VLVT": ("Velvet Curtain Co.", 84.0),
    "LIME": ("Limelight Works", 132.0),
    "PROP": ("Props & Daughters", 27.5),
    "ECHO": ("Echo Chambers", 58.0),
    "UNDR": ("Understudy Group", 9.8),
}


class Walk:
    """A random walk for each company, pulled gently back to where it began."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.prices = {symbol: price for symbol, (_, price) in COMPANIES.items()}

    def step(self) -> dict[str, float]:
        """Move every price once and return them, in no currency at all."""
        for symbol, (_, start) in COMPANIES.items():
            price = self.prices[symbol]
            drift = 0.01 * (start - price) / start
            price *= 1 + drift + self._random.gauss(0, 0.006)
            self.prices[symbol] = round(max(price, 0.01), 2)
        return dict(self.prices)
