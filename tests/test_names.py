"""What names of pictures and LoRA files say: every trainer's scheme, and a person's own pattern."""

import pytest

from workbench.elsewhere.names import Named, NameProblem, lora_number, read_name
from workbench.elsewhere.pictures.reading import PatternProblem, name_pattern, values


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("anna_e000010_00_20240101120000_42.png", Named("kohya", "anna", 10, "epochs", 0, 42)),
        ("anna_v2_e000010_12_20240101120000.png", Named("kohya", "anna_v2", 10, "epochs", 12, None)),
        ("anna_000500_01_20240101120000_7.png", Named("kohya", "anna", 500, "updates", 1, 7)),
        ("e000010_00_20240101120000_42.png", Named("kohya", None, 10, "epochs", 0, 42)),
        ("anna_20230401120000_e000002_00_7.png", Named("kohya", "anna", 2, "epochs", 0, 7)),
        ("20230401120000_000100_03.png", Named("kohya", None, 100, "updates", 3, None)),
        ("anna_e000010_00_20240101120000_42 (1).png", Named("kohya", "anna", 10, "epochs", 0, 42)),
        ("anna_e000010_00_20240101120000_42_upscaled.png", Named("kohya", "anna", 10, "epochs", 0, 42)),
        ("anna_000500_01_20240101120000-x4.jpg", Named("kohya", "anna", 500, "updates", 1, None)),
        ("samples/1704110400000__000000250_1.jpg", Named("ai-toolkit", None, 250, "updates", 1, None)),
        (
            "samples/2 - a woman/2024-01-01_12-00-00-training-sample-300-5-10.png",
            Named("onetrainer", None, 300, "updates", 2, None),
        ),
    ],
)
def test_samples_of_every_trainer_are_read(name: str, said: Named):
    assert read_name(name) == said


@pytest.mark.parametrize("name", ["portrait.png", "00001-42.png", "anna_e10_0.png", "2024-01-01-training-sample-1.png"])
def test_other_names_say_nothing(name: str):
    assert read_name(name) is None


def test_a_number_beyond_all_trainings_is_refused_with_its_key():
    with pytest.raises(NameProblem, match=r"says epochs '99999999999'"):
        read_name("anna_e99999999999_00_20240101120000_1.png")
    with pytest.raises(NameProblem, match="says seed"):
        read_name("anna_e000001_00_20240101120000_9223372036854775808.png")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("people/anna-000010.safetensors", ("anna", 10, "epochs")),
        ("people\\anna-000010", ("anna", 10, "epochs")),
        ("anna-step00000500", ("anna", 500, "updates")),
        ("anna_000000250", ("anna", 250, "updates")),
        ("anna-000010_fp16", ("anna_fp16", 10, "epochs")),
        ("anna-000010 (1)", ("anna (1)", 10, "epochs")),
        ("anna-step00000500-pruned", ("anna-pruned", 500, "updates")),
        ("checkpoint-500", ("checkpoint", 500, "updates")),
        ("anna-2", ("anna-2", None, None)),
        ("anna", ("anna", None, None)),
        ("anna-step99999999999999", ("anna-step99999999999999", None, None)),
    ],
)
def test_the_number_of_a_lora_file(name: str, said: tuple[str, int | None, str | None]):
    assert lora_number(name) == said


def test_a_persons_pattern_reads_names_and_folders():
    pattern = name_pattern("{lora}/{epoch}_{strength}_{seed}_{any}.png")
    words = pattern.read("deep/anna/10_0,8_42_x y.png")
    assert words == {"lora": "anna", "epoch": "10", "strength": "0,8", "seed": "42"}
    told = values(words)
    assert (told.lora, told.epoch, told.strength, told.seed) == ("anna", 10, 0.8, 42)
    assert pattern.read("10_0.8_42_x.png") is None
    assert pattern.read("anna/ten_0.8_42_x.png") is None


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{lorra}_{epoch}", "may hold"),
        ("{lora", "may hold"),
        ("{}", "may hold"),
        ("", "at least one word"),
        ("{any}", "at least one word"),
        ("{epoch}_{epoch}", "only once"),
        ("{epoch}_{updates}", "epochs or updates"),
        ("{lora}{any}{text}{any}", "more than 3"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(written: str, why: str):
    with pytest.raises(PatternProblem, match=why):
        name_pattern(written)


def test_strengths_out_of_a_name_stay_within_reason():
    with pytest.raises(NameProblem, match="between -10 and 10"):
        values({"strength": "1" * 300})
