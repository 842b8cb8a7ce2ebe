import pytest

from shared.http.client_address import site_of


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_address_counts_for_whoever_may_use_its_neighbours_too(address: str, site: str):
    assert site_of(address) == site
