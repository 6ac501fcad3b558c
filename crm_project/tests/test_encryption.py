import pytest

from crm_project.encryption import UnreadableError, decrypt, encrypt, masked


def test_what_was_encrypted_is_read_again_and_not_to_be_seen():
    kept = encrypt("тайна")
    assert "тайна" not in kept
    assert kept != encrypt("тайна")
    assert decrypt(kept) == "тайна"


def test_another_key_reads_it_only_as_a_fallback(settings):
    kept, first = encrypt("тайна"), settings.SECRET_KEY
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(UnreadableError):
        decrypt(kept)
    settings.SECRET_KEY_FALLBACKS = [first]
    assert decrypt(kept) == "тайна"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", ""), ("short", "••••"), ("a_long_enough_secret_1234", "••••1234")],
)
def test_people_see_the_end_of_a_long_secret_alone(secret, shown):
    assert masked(secret) == shown
