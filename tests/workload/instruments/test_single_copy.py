import pytest

from workload.instruments import single_copy


@pytest.fixture(autouse=True)
def not_known_yet():
    single_copy.works.cache_clear()
    yield
    single_copy.works.cache_clear()


def test_this_machine_says_whether_it_works():
    assert single_copy.works() in (True, False)


def test_a_reader_that_is_refused(monkeypatch):
    monkeypatch.setattr(single_copy, "READER", "print(-1, False)")
    assert single_copy.works() is False


def test_a_system_without_the_call(monkeypatch):
    monkeypatch.setattr(single_copy, "READER", "raise AttributeError")
    assert single_copy.works() is False
