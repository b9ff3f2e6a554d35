"""Article numbers for invented products: the digits are valid, the companies do not exist."""


def check_digit(digits: str) -> str:
    """The GS1 check digit behind 7, 11, 12 or 13 digits (GS1 General Specifications, section 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def ean13(twelve: str) -> str:
    assert len(twelve) == 12
    return twelve + check_digit(twelve)


def upc12(eleven: str) -> str:
    assert len(eleven) == 11
    return eleven + check_digit(eleven)
