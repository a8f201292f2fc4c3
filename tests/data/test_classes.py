import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from keras_compat.data import match_classes, parse_classes
from keras_compat.data.classes import check_class_names, look_flippable
from keras_compat.errors import InputError
from keras_compat.store.manifest import Line

LINES = TypeAdapter(list[Line])
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


def test_cifar10_and_stl10_share_nine_classes():
    pairs = match_classes(CIFAR10, STL10)
    assert len(pairs) == 9
    assert ("automobile", "car") in {(CIFAR10[a], STL10[b]) for a, b in pairs}
    assert {"frog"} == set(CIFAR10) - {CIFAR10[a] for a, _ in pairs}


def test_matching_ignores_case_and_separators():
    assert match_classes(["Dining_Table", "potted-plant"], ["pottedplant", "dining table"]) == [
        (0, 1),
        (1, 0),
    ]


def test_an_equal_name_wins_over_an_alias_and_no_class_is_matched_twice():
    assert match_classes(["car", "automobile"], ["automobile"]) == [(1, 0)]
    assert match_classes(["automobile"], ["car", "automobile"]) == [(0, 1)]
    assert match_classes(["plane", "airplane"], ["aeroplane", "plane"]) == [(0, 1), (1, 0)]


def test_users_extend_the_table():
    assert match_classes(["lorry"], ["van"]) == []
    assert match_classes(["lorry"], ["van"], aliases={"van": "truck"}) == [(0, 0)]


def test_a_count_takes_the_first_classes_even_where_names_are_numbers():
    assert parse_classes("5", CIFAR10) == (0, 1, 2, 3, 4)
    assert parse_classes("5", [str(i) for i in range(10)]) == (0, 1, 2, 3, 4)


def test_names_indices_and_aliases_mix_and_keep_their_order():
    assert parse_classes("dog, car,0", CIFAR10) == (5, 1, 0)


def test_a_number_that_is_a_name_is_the_name():
    assert parse_classes("2,1", ["1", "2", "3"]) == (1, 0)


def test_more_names_stand_for_classes():
    aliases = {"kitten": "cat", "Hauler": "lorry"}
    assert parse_classes("kitten,hauler", CIFAR10, aliases) == (3, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dgo,cat", "unknown class 'dgo'; did you mean 'dog'"),
        ("11", "11 classes were asked for; expected 2 to 10"),
        ("1", "1 classes were asked for"),
        ("-3", "-3 classes were asked for"),
        ("cat", "fewer than two"),
        ("", "fewer than two"),
        ("cat,cat", "'cat' twice"),
        ("cat,10", "unknown class '10'"),
    ],
)
def test_bad_classes_are_one_line(text: str, message: str):
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        parse_classes(text, CIFAR10)
    assert message in str(caught.value)


def test_only_colour_images_of_more_than_characters_may_be_mirrored():
    assert look_flippable(CIFAR10, colour=True)
    assert not look_flippable(CIFAR10, colour=False)
    assert not look_flippable(["a", "b", "10"], colour=True)


@pytest.mark.parametrize(
    "name", ["", "two\nlines", "\x7f", "a\u2028b", "\u202eabc", "\udce9", "c" * 201]
)
def test_names_that_no_component_is_saved_with_are_refused(name: str):
    with pytest.raises(InputError, match="^pets has the class name [^\n]*rename the class$"):
        check_class_names(["cat", name], "pets")
    with pytest.raises(ValidationError):
        LINES.validate_python([name])


@given(names=st.lists(st.text(), max_size=4))
def test_names_are_taken_exactly_if_a_manifest_takes_them_and_none_is_blank(names: list[str]):
    try:
        LINES.validate_python(names)
        saved = len({unicodedata.normalize("NFC", name) for name in names}) == len(names)
        saved = saved and all(name.strip() for name in names)
    except ValidationError:
        saved = False
    try:
        check_class_names(names, "pets")
    except InputError:
        assert not saved
    else:
        assert saved


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat", "e\u0301", "\u00e9"], "occur twice, such as"),
        ([str(n) for n in range(100_001)], "has 100001 classes; expected 100000 at most"),
        ([f"{n:0200}" for n in range(6000)], "class names of 1248000 bytes in all"),
    ],
)
def test_names_that_are_too_many_or_the_same_are_refused(names: list[str], message: str):
    with pytest.raises(InputError) as caught:
        check_class_names(names, "pets")
    assert message in str(caught.value)


def test_names_match_however_they_are_written():
    assert match_classes(["caf\u00e9"], ["Cafe\u0301"]) == [(0, 0)]
