from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from medsweep.config import Sweep, TrainingConfig
from medsweep.config.reference import all_keys, as_markdown, as_text, attributes_of, keys_at
from medsweep.errors import ConfigError
from medsweep.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


def test_every_key_says_what_it_means_and_what_may_stand_there() -> None:
    for key in all_keys():
        assert key.meaning, key.path
        assert key.values or key.section, key.path
    assert len({key.path for key in all_keys()}) == len(all_keys())


def test_the_keys_of_every_sweep_of_ours_are_known() -> None:
    known = {key.path for key in all_keys()}
    elsewhere = ("models.search", "data.test", "reference.model", "arms.model", "options")

    def paths(value: Any, prefix: str) -> set[str]:
        if isinstance(value, list):
            return set().union(*(paths(item, prefix) for item in value))
        if not isinstance(value, dict):
            return set()
        below = (paths(item, f"{prefix}{key}.") for key, item in value.items())
        return {f"{prefix}{key}" for key in value}.union(*below)

    for path in sorted((ROOT / "sweeps").glob("*.yaml")):
        sweep = yaml.safe_load(path.read_text())
        used = {p for p in paths(sweep, "") if not any(f"{e}." in p for e in elsewhere)}
        assert (
            used
            - known
            - {"search.learning_rate.low", "search.learning_rate.high", "search.learning_rate.log"}
            == set()
        ), path


def test_defaults_are_the_models_own() -> None:
    default = {key.path: yaml.safe_load(key.default) for key in all_keys() if key.default}
    for name, field in Sweep.model_fields.items():
        if name in default:
            assert default[name] == field.default, name
    assert default["training.batch_size"] == 8  # of the recipe, where the model says None


def test_what_training_shares_is_told_by_the_recipe() -> None:
    told = {key.path: key.meaning for key in all_keys()}
    recipe = attributes_of(Recipe)
    assert set(recipe) == {field.name for field in fields(Recipe)}
    for name in TrainingConfig.model_fields:
        assert told[f"training.{name}"] == " ".join(recipe[name].split())


def test_the_page_of_the_docs_is_what_the_command_prints() -> None:
    assert (ROOT / "docs" / "sweep-file.md").read_text() == as_markdown() + "\n"


def test_a_section_is_shown_with_its_keys_and_a_key_alone() -> None:
    names = ("margin", "alpha", "systems", "sensitivity")
    assert [k.path for k in keys_at("decide")] == ["decide", *(f"decide.{n}" for n in names)]
    assert as_text(keys_at("decide.alpha")).splitlines()[0] == "decide.alpha: 0.05"
    assert "arms.options.few_shot.k" in {key.path for key in keys_at("arms.options.few_shot")}


@pytest.mark.parametrize(
    ("wrong", "near"), [("serch", "search"), ("margin", "decide.margin"), ("zzzzzz", "lists them")]
)
def test_a_key_that_does_not_exist_names_the_one_that_was_meant(wrong: str, near: str) -> None:
    with pytest.raises(ConfigError, match=near):
        keys_at(wrong)
