"""Components of strangers: each attack of tests/attacks is refused by name, in little memory."""

import shutil

import pytest

from keras_compat.store import Store, recipes, unpack
from keras_compat.store.packing import check, check_sizes
from tests.attacks import bombs, files, harness, links, manifests, names, values
from tests.attacks.memory import little_memory

pytestmark = pytest.mark.once
ATTACKS = {
    f"{module.__name__.rpartition('.')[2]}: {name}": attack
    for module in (names, links, files, manifests, bombs, values)
    for name, attack in module.ATTACKS.items()
}
SURPLUS = 300 * 2**20  # what the first building of a network takes by itself is less


@pytest.mark.parametrize("name", ATTACKS)
def test_refused_with_the_reason_and_found_by_verify(name, tmp_path):
    attack, expected = ATTACKS[name]
    with little_memory(SURPLUS), pytest.raises(expected) as caught:
        harness.attempt(tmp_path, attack)
    message = str(caught.value)
    assert len(message) < 600 and message.isprintable()
    if name.startswith("names"):
        return  # which are of no component
    with little_memory(SURPLUS):
        found = Store(tmp_path).verify(before=check_sizes, also=check)
    assert found
    assert found == Store(tmp_path).verify(before=check_sizes, also=unpack)


def test_verifying_builds_nothing_for_each_component(tmp_path, monkeypatch):
    place = harness.make_store(tmp_path)
    for number in range(2, 12):
        shutil.copytree(place, place.with_name(str(number)))
    recipes._outline.cache_clear()
    built = []
    build = recipes.build
    monkeypatch.setattr(recipes, "build", lambda *given: built.append(given) or build(*given))
    seen = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    assert Store(tmp_path).verify(check_sizes, check, progress) == []
    assert len(built) == 1
    assert seen == [(done, 11) for done in range(1, 12)]


def test_without_an_attack_it_is_read(tmp_path):
    harness.attempt(tmp_path, lambda place: None)
    assert Store(tmp_path).verify(also=unpack) == []
