import pytest

from accel_dse.readable import number, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00012345, "0.0001234"),
        (26.9812, "26.98"),
        (1234.5, "1234"),
        (98765.4, "98,770"),
        (4.402e6, "4,402,000"),
        (-3.25, "-3.25"),
        (1.5e-7, "1.500e-07"),
        (2.0e15, "2.000e+15"),
    ],
)  # fmt: skip
def test_numbers_have_four_digits_and_separators(value, text):
    assert number(value) == text


def test_a_value_is_shown_by_its_kind():
    shown = [plain(v) for v in (True, 7, 16384, 2.0, "os", ("K", "C", 4))]
    assert shown == ["True", "7", "16,384", "2", "os", "K C 4"]
