from shared.http.limits import Shares


def test_a_caller_has_its_part_of_the_total_and_not_one_more() -> None:
    shares = Shares[str](total=8, share=0.25)

    assert [shares.take("weiss") for _ in range(3)] == [True, True, False]
    assert shares.take("braun")


def test_what_is_given_back_may_be_taken_again() -> None:
    shares = Shares[str](total=4, share=0.25)
    shares.take("weiss")
    shares.give_back("weiss")
    assert shares.take("weiss")


def test_a_share_is_one_at_least() -> None:
    assert Shares[str](total=2, share=0.125).take("weiss")


def test_all_of_it_is_no_bound() -> None:
    shares = Shares[str](total=2, share=1)

    assert all(shares.take("weiss") for _ in range(3))


def test_who_has_nothing_is_not_known() -> None:
    # given
    shares = Shares[int](total=8, share=0.25)
    for who in range(100):
        shares.is_full(who)
        shares.take(who)
    # when
    for who in range(100):
        shares.give_back(who)
    # then
    assert shares.callers == 0
