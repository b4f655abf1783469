"""LoRA files made elsewhere come into a project: settings that they say, runs and checkpoints, all or nothing."""

import json
import os
import shutil
import sys
from dataclasses import replace

import pytest
import torch
from lora_files import BAD, GOLDEN, packed, tensors

from db import imports, library, now, runs
from trainer.adapter import attach
from trainer.config import DEFAULTS, TrainConfig
from trainer.kohya import metadata_for, read, write
from workbench.cli import main
from workbench.elsewhere.loras.import_loras import LorasError, import_loras, look_into_loras
from workbench.elsewhere.loras.lora_file import read_lora
from workbench.elsewhere.loras.loras_found import Around, found_in
from workbench.elsewhere.loras.ss_optimizer import OptimizerSaid, UnknownOptimizer, read_optimizer
from workbench.elsewhere.names import LAST_EPOCH
from workbench.findings import analysis
from workbench.keeping import backup, bin, retention
from workbench.keeping.retention import Rule
from workbench.plans import missing
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.running import queue
from workbench.running.queue import QueueError
from workbench.sweep import patterns
from workbench.sweep.patterns import PatternError
from workbench.workspace import Workspace

PLAN = EvalPlan(prompts=(Prompt(text="photo of {trigger} {class_noun}"),), seeds=(1, 2))
ANNA = ("anna-000001", "anna-000002", "anna")
TRAIN_PHOTOS = 30


@pytest.fixture
def ws(tmp_path):
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def db(ws):
    return ws.open()


@pytest.fixture
def project(ws, db):
    project_id = add_project(db, "p", "zwx", "woman", plan=PLAN)
    row = {"sha256": "0", "caption": "", "width": 64, "height": 64, "crop": "none"}
    rows = []
    (ws.home / "photos").mkdir()
    for n in range(TRAIN_PHOTOS + 3):
        (ws.home / "photos" / f"{n}.png").write_bytes(b"a photo")
        side = "train" if n < TRAIN_PHOTOS else "reference"
        rows.append({**row, "name": f"{n}", "file": f"photos/{n}.png", "position": n, "side": side})
    more = {"trigger_word": "zwx", "class_noun": "woman", "size_px": 64, "photos": rows}
    library.add_dataset(db, project_id, hash="h", **more)
    return project_id


def golden(*names):
    return [GOLDEN / f"{name}.safetensors" for name in names]


def one_run(*names, **about):
    around = replace(Around("embedded", "embedded", photos=TRAIN_PHOTOS), **about)
    [run] = found_in(golden(*names), around).runs
    return run


def everything(ws, db):
    """All rows that an import writes, and all files of the workspace."""
    tables = ("patterns", "pattern_labels", "runs", "checkpoints", "imports")
    rows = {table: list(db.query(f"select * from {table}")) for table in tables}
    return rows, sorted(path for path in ws.home.rglob("*") if path.is_file() and ".db" not in path.name)


# what a file says


def test_new_metadata_of_kohya_is_read_setting_by_setting():
    run = one_run(*ANNA)
    assert run.known == {
        "resolution": 512,
        "dim": 2,
        "alpha": 1.0,
        "conv_dim": None,
        "conv_alpha": None,
        "rslora": False,
        "dora": False,
        "dropout": 0.0,
        "text_encoder_lr": 1e-4,
        "optimizer": "adamw8bit",
        "learning_rate": 2e-4,
        "beta1": None,
        "beta2": 0.99,
        "weight_decay": 0.1,
        "lr_scheduler": "constant",
        "lr_cycles": 1,
        "lr_power": 1.0,
        "warmup_updates": 0,
        "batch_size": 4,
        "gradient_accumulation": 1,
        "repeats": 10,
        "epochs": 3,
        "max_updates": None,
        "max_images": None,
        "caption_dropout": 0.05,
        "shuffle_captions": True,
        "clip_skip": 1,
        "min_snr_gamma": 5.0,
        "noise_offset": 0.05,
        "max_grad_norm": 1.0,
        "flip": False,
        "mixed_precision": "bf16",
        "save_precision": "fp16",
    }
    assert set(run.unknown) == {"base_model", "modules", "train_text_encoder", "save_every", "save_unit", "captions"}
    assert run.unknown["modules"] == "it adapts 6 of 192 layers of the U-Net's transformers"
    assert "v1-5-pruned.safetensors" in run.unknown["base_model"]
    assert (run.seed, run.photos, run.session) == (7, 30, "1234567890")


def test_old_metadata_of_kohya_leaves_unknown_what_it_did_not_have():
    run = one_run("old")
    known = {"batch_size": 2, "repeats": 10, "flip": True, "clip_skip": 2, "warmup_updates": 30, "epochs": 2}
    assert known.items() <= run.known.items()
    for name in ("optimizer", "weight_decay", "min_snr_gamma", "noise_offset", "caption_dropout", "dropout"):
        assert run.unknown[name].startswith("the file doesn't say (ss_")
    assert (run.seed, run.session, run.by_name) == (42, "old", True)


def test_locon_and_dora_are_known_by_their_tensors_and_arguments():
    locon, dora = one_run("locon"), one_run("dora")
    assert {"conv_dim": 1, "conv_alpha": 1.0, "dropout": 0.1, "dora": False}.items() <= locon.known.items()
    assert {"dora": True, "conv_dim": None, "optimizer": "adafactor"}.items() <= dora.known.items()
    assert dora.unknown["learning_rate"] == "the file says None: the optimiser set its own steps"
    assert "adafactor:0.0002" in dora.unknown["lr_scheduler"]


@pytest.mark.parametrize("name", ["hashes-only", "no-metadata-000004", "diffusers-old"])
def test_without_metadata_only_what_the_tensors_show_is_known(name):
    run = one_run(name)
    assert set(run.known) == {"dim", "alpha", "conv_dim", "conv_alpha", "rslora", "dora", "save_precision"}
    assert run.known["alpha"] == (2.0 if name == "diffusers-old" else 1.0)
    assert run.known.keys() | run.unknown.keys() == TrainConfig.model_fields.keys()


def test_rslora_of_peft_is_told_from_its_alpha():
    run = one_run("peft/adapter_model")
    assert run.known["rslora"] is True and run.known["alpha"] == pytest.approx(8.0)
    assert run.known["train_text_encoder"] is False
    assert run.label == "peft"  # the folder: the file is called as every file of peft


@pytest.mark.parametrize(
    ("entries", "setting", "why"),
    [
        ({"ss_num_epochs": "0"}, "epochs", "which can't be trained here"),
        ({"ss_num_epochs": "ten"}, "epochs", "no number"),
        ({"ss_num_epochs": "1e999"}, "epochs", "not one finite number"),
        ({"ss_learning_rate": "100", "ss_unet_lr": "None"}, "learning_rate", "says 100.0, which can't be trained"),
        ({"ss_text_encoder_lr": "[0.1, 0.2]"}, "text_encoder_lr", "not one finite number"),
        ({"ss_noise_offset": "-1"}, "noise_offset", "which can't be trained here"),
        ({"ss_multires_noise_iterations": "6"}, "noise_offset", "multires_noise_iterations"),
        ({"ss_num_reg_images": "100"}, "repeats", "num_reg_images"),
        ({"ss_loss_type": "huber"}, "min_snr_gamma", "loss_type"),
        ({"ss_network_args": '{"loraplus_lr_ratio": "16"}'}, "learning_rate", "loraplus_lr_ratio"),
        ({"ss_network_args": '{"rank_dropout": "0.1"}'}, "dropout", "rank_dropout"),
        ({"ss_optimizer": "torch.optim.adagrad.Adagrad"}, "optimizer", "Adagrad is no optimiser"),
        ({"ss_optimizer": "AdamW(eps=1e-06)"}, "optimizer", "eps=1e-06"),
        ({"ss_lr_scheduler": "piecewise_constant"}, "lr_scheduler", "which can't be trained here"),
        ({"ss_lr_scheduler": "cosine_with_restarts"}, "lr_cycles", "don't say"),
        ({"ss_mixed_precision": "fp8"}, "mixed_precision", "which can't be trained here"),
        ({"ss_datasets": "[" * 10_000}, "batch_size", "doesn't say"),
        ({"ss_datasets": '[{"resolution": [512, 768], "subsets": 5}]'}, "resolution", "not square"),
        ({"ss_datasets": '[{"batch_size_per_device": {"a": 1}, "resolution": 512}]'}, "batch_size", "can't be read"),
    ],
)
def test_what_is_out_of_range_or_not_ours_is_unknown_and_never_bent(tmp_path, entries, setting, why):
    from workbench.elsewhere.loras.lora_settings import what_it_says

    file = read_lora(GOLDEN / "anna.safetensors")
    said = what_it_says(replace(file, metadata={**file.metadata, **entries}), {})
    assert setting not in said.known and why in said.unknown[setting]
    assert said.known.keys() | said.unknown.keys() == TrainConfig.model_fields.keys()
    assert not said.known.keys() & said.unknown.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("torch.optim.adamw.AdamW", OptimizerSaid("adamw", 0.01, None, None)),
        ("torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))", OptimizerSaid("adamw", 0.1, None, 0.99)),
        ("bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0)", OptimizerSaid("adamw8bit", 0.0, None, None)),
        ("lion_pytorch.lion_pytorch.Lion(betas=[0.95, 0.98])", OptimizerSaid("lion", 0.0, 0.95, 0.98)),
        ("torch.optim.sgd.SGD(momentum=0.9)", OptimizerSaid("sgd_nesterov", 0.0, None, None)),
        ("torch.optim.sgd.SGD(momentum=0.5)", OptimizerSaid("sgd_nesterov", 0.0, 0.5, None)),
        ("transformers.optimization.Adafactor(relative_step=True)", OptimizerSaid("adafactor", 0.0, None, None)),
        (
            "transformers.optimization.Adafactor(scale_parameter=False,relative_step=False,warmup_init=False)",
            OptimizerSaid("adafactor-fixed", 0.0, None, None),
        ),
        ("prodigyopt.prodigy.Prodigy(weight_decay=0.01,d_coef=1.0)", OptimizerSaid("prodigy", 0.01, None, None)),
        (
            "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint(decouple=True)",
            OptimizerSaid("dadaptation", 0.0, None, None),
        ),
    ],
)
def test_optimisers_are_known_by_class_and_arguments(text, said):
    assert read_optimizer(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DAdaptAdam(decouple=True)",
        "Prodigy(d_coef=2.0)",
        "DAdaptAdamPreprint()",
        "Adafactor(scale_parameter=False)",
        "AdamW(weight_decay=__import__('os'))",
        "AdamW(*range(3))",
        "AdamW(betas=0.9)",
        "AdamW(weight_decay=",
        "AdamW(" + "(" * 900,
        "A" * 5000,
    ],
)
def test_an_optimiser_that_is_not_ours_is_unknown(text):
    with pytest.raises(UnknownOptimizer):
        read_optimizer(text)


# the base


def test_the_base_is_known_by_name_by_hash_or_by_a_persons_word(tmp_path):
    from workbench.elsewhere.loras.lora_settings import what_it_says
    from workbench.elsewhere.loras.loras_found import is_base

    file = read_lora(GOLDEN / "anna.safetensors")
    said = what_it_says(file, {})
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"weights")
    here = Around(str(own), str(own), 30)
    assert not is_base(said, here)
    assert is_base(said, replace(here, place=str(tmp_path / "v1-5-pruned.safetensors")))
    hashed = "9a6bb8e2f1de6e0bab6ba7d9e8a4ed0f"  # of nothing here
    assert not is_base(replace(said, base_name="", base_hash=hashed), here)
    import hashlib

    assert is_base(replace(said, base_name="", base_hash=hashlib.sha256(b"weights").hexdigest()), here)
    assert "base_model" in one_run("anna").unknown
    assert "base_model" not in one_run("anna", same_base=True).unknown


# runs and checkpoints


def test_files_of_one_session_are_checkpoints_of_one_run(ws, db, project):
    done = import_loras(ws, project, golden(*ANNA))
    [run] = runs.of_project(db, project)
    assert (run["status"], run["origin"], run["session"], run["seed"]) == ("done", "lora", "1234567890", 7)
    assert (run["saw_references"], run["step"], run["total_steps"]) == ("unknown", 225, 225)
    rows = runs.checkpoints(db, run["id"])
    assert [(r["name"], r["updates"], r["images_seen"], r["epoch"], r["is_last"]) for r in rows] == [
        ("anna-000001", 75, 300, 1, 0),
        ("anna-000002", 150, 600, 2, 0),
        ("anna", 225, 900, 3, 1),
    ]
    for row, source in zip(rows, golden(*ANNA), strict=True):
        assert ws.path(row["file"]).read_bytes() == source.read_bytes()
        assert backup.is_safe(row["file"])
        assert len(read(ws.path(row["file"])).modules) == 9
    [pattern] = patterns.listed(db, project)
    assert (pattern.label, pattern.origin, pattern.config.dim) == ("anna", "lora", 2)
    assert pattern.unknown == set(one_run(*ANNA).unknown)
    assert pattern.config.base_model == "embedded"  # what its pictures are made with
    assert pattern.config.modules == DEFAULTS["modules"]
    [row] = imports.of_project(db, project, "loras")
    assert row["id"] == done.import_id and row["detail"]["runs"] == [run["id"]]
    assert not list(ws.cache.iterdir())


def test_previews_of_imported_checkpoints_are_asked_for_like_those_of_others(ws, db, project):
    import_loras(ws, project, golden(*ANNA))
    jobs = list(missing.fill_jobs(ws, db, library.project(db, project)))
    asked = {job.about["checkpoint_id"] for job in jobs}
    assert asked == {None, *(row["id"] for row in runs.checkpoints(db, 1))}


def test_the_same_files_again_add_nothing(ws, db, project, tmp_path):
    import_loras(ws, project, golden(*ANNA, "peft/adapter_model"))
    before = everything(ws, db)
    other = tmp_path / "copied"
    shutil.copytree(GOLDEN / "peft", other / "peft")
    for name in ANNA:
        shutil.copy(GOLDEN / f"{name}.safetensors", other / f"renamed {name}.safetensors")
    again = import_loras(ws, project, [other])
    assert (again.import_id, again.checkpoints, len(again.already)) == (None, 0, 4)
    assert everything(ws, db) == before


def test_later_epochs_join_the_run_of_their_session(ws, db, project):
    import_loras(ws, project, golden("anna-000001"))
    import_loras(ws, project, golden("anna-000002", "anna"))
    [run] = runs.of_project(db, project)
    assert [(r["updates"], r["is_last"]) for r in runs.checkpoints(db, run["id"])] == [(75, 0), (150, 0), (225, 1)]
    assert run["step"] == 225


def test_without_metadata_files_are_joined_by_their_names_and_that_is_said(ws, db, project, tmp_path):
    from lora_files import packed, tensors

    for n, name in enumerate(["b-000002", "b-000010", "b", "c"]):
        named = tensors()
        first = next(iter(named))
        named[first] = named[first] + n
        (tmp_path / f"{name}.safetensors").write_bytes(packed({k: t.astype("<f2") for k, t in named.items()}))
    found = look_into_loras(ws, db, project, [tmp_path])
    assert [[c.name for c in run.checkpoints] for run in found.runs] == [["b-000002", "b-000010", "b"], ["c"]]
    assert any("by their names" in sentence for sentence in found.runs[0].told)
    import_loras(ws, project, [tmp_path])
    rows = runs.checkpoints(db, 1)
    assert [(r["updates"], r["epoch"], r["images_seen"], r["is_last"]) for r in rows] == [
        (2, 2, 0, 0),
        (10, 10, 0, 0),
        (11, LAST_EPOCH, 0, 1),
    ]
    assert [run["seed"] for run in runs.of_project(db, project)] == [-1, -1]  # not known


def test_another_training_of_the_same_name_is_another_run(ws, db, project, tmp_path):
    from lora_files import packed, tensors

    for folder, value in (("a", 0.01), ("b", 0.02)):
        (tmp_path / folder).mkdir()
        named = {key: (tensor if tensor.ndim == 0 else tensor * 0 + value) for key, tensor in tensors().items()}
        file = tmp_path / folder / "lora.safetensors"
        file.write_bytes(packed({key: tensor.astype("<f2") for key, tensor in named.items()}))
        import_loras(ws, project, [file])
    assert [run["session"] for run in runs.of_project(db, project)] == ["lora", "lora (2)"]
    assert len(patterns.listed(db, project)) == 2


def test_peft_keeps_its_alpha_when_it_is_copied_away_from_its_config(ws, db, project):
    import_loras(ws, project, golden("peft/adapter_model"))
    [row] = runs.checkpoints(db, 1)
    stored = read(ws.path(row["file"]))
    assert [module.scale for module in stored.modules.values()] == pytest.approx([8 / 2**0.5] * 6)
    before, after = read_lora(GOLDEN / "peft" / "adapter_model.safetensors"), read_lora(ws.path(row["file"]))
    assert after.modules == before.modules
    assert json.loads(row["proof"])["source"] == before.sha256


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_name_that_is_no_text_and_entries_that_move_the_cursor_are_stored_as_plain_text(ws, db, project, tmp_path):
    from lora_files import packed, tensors

    file = tmp_path / os.fsdecode(b"anna\xff\x1b[2J.safetensors")
    file.write_bytes(packed(tensors(), {"ss_output_name": "\x1b[2Janna", "ss_sd_model_name": "\x07base"}))
    import_loras(ws, project, [file])
    [pattern] = patterns.listed(db, project)
    [row] = runs.checkpoints(db, 1)
    assert (pattern.label, row["name"]) == ("?[2Janna", "anna??[2J")
    assert "?base" in pattern.note and pattern.note.isprintable()


# all or nothing


@pytest.mark.parametrize("what", ["NaN in a down", "pickle protocol 4", "SDXL by its width", "cut by a byte", "LoHa"])
def test_one_bad_file_among_good_ones_keeps_all_out(ws, db, project, tmp_path, what):
    name, make, words = BAD[what]
    (tmp_path / name).write_bytes(make())
    before = everything(ws, db)
    with pytest.raises(LorasError) as caught:
        import_loras(ws, project, [*golden(*ANNA), tmp_path / name])
    assert name in str(caught.value) and words in str(caught.value)
    assert everything(ws, db) == before


def test_a_crash_in_the_last_row_leaves_nothing(ws, db, project, monkeypatch):
    before = everything(ws, db)

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(imports, "add_import", full)
    with pytest.raises(OSError, match="disk full"):
        import_loras(ws, project, golden(*ANNA, "old"))
    assert everything(ws, db) == before
    monkeypatch.undo()
    assert import_loras(ws, project, golden(*ANNA, "old")).checkpoints == 4


def test_a_project_without_photos_or_base_takes_no_loras(ws, db):
    empty = add_project(db, "empty", "zwx", "woman", plan=PLAN)
    with pytest.raises(LorasError, match="has no photos"):
        import_loras(ws, empty, golden("anna"))
    library.update_project(db, empty, base_model="none")
    with pytest.raises(LorasError, match="only judges"):
        import_loras(ws, empty, golden("anna"))


# our own files


CONFIG = TrainConfig(
    dim=4, alpha=2.0, learning_rate=2e-3, batch_size=4, epochs=12, optimizer="lion", captions="trigger_only"
)


def own_file(base, path, config, *, session, seed=1, update=90):
    """A LoRA file as the trainer writes it, with all its metadata."""
    generator = torch.Generator().manual_seed(seed)
    adapter = attach(base, session, dim=config.dim, alpha=config.alpha, text_encoder=True, generator=generator)
    about = {"name": path.stem, "seed": seed, "update": update, "n_images": TRAIN_PHOTOS, "session": session}
    write(adapter, path, metadata_for(config, base, **about, started=now(), trigger="zwx"), "fp16")
    adapter.detach()
    return path


def test_a_file_of_our_own_trainer_comes_back_with_all_its_settings(base, ws, db, project, tmp_path):
    own_file(base, tmp_path / "one.safetensors", CONFIG, session="s1")
    import_loras(ws, project, [tmp_path / "one.safetensors"])
    [pattern] = patterns.listed(db, project)
    assert (pattern.config, pattern.unknown) == (CONFIG, frozenset())
    [checkpoint] = runs.checkpoints(db, 1)
    assert (checkpoint["updates"], checkpoint["images_seen"], checkpoint["epoch"]) == (90, 338, 12)


def test_without_our_own_entries_the_same_file_says_all_that_kohya_knows(base, tmp_path):
    file = read_lora(own_file(base, tmp_path / "one.safetensors", CONFIG, session="s1"))
    plain = {key: value for key, value in file.metadata.items() if not key.startswith("workbench.")}
    from trainer.layer_shapes import layer_shapes
    from workbench.elsewhere.loras.lora_settings import what_it_says

    said = what_it_says(replace(file, metadata=plain), layer_shapes("embedded"))
    assert set(said.unknown) == {"base_model", "captions", "save_every", "save_unit"}
    in_force = CONFIG.model_dump() | {"resolution": 64}  # the file has the base's own size as a number
    assert {name: in_force[name] for name in said.known} == said.known


def test_two_imported_trainings_that_differ_in_one_setting_make_a_contrast(base, ws, db, project, tmp_path):
    faster = CONFIG.model_copy(update={"learning_rate": 4e-3})
    own_file(base, tmp_path / "slow.safetensors", CONFIG, session="s1")
    own_file(base, tmp_path / "fast.safetensors", faster, session="s2")
    import_loras(ws, project, [tmp_path])
    [contrast] = patterns.contrasts(db, project)
    assert (contrast.setting, {contrast.value_a, contrast.value_b}) == ("learning_rate", {2e-3, 4e-3})
    patterns.add(db, project, CONFIG.model_copy(update={"dim": 8}), "trained here")
    assert {c.setting for c in patterns.contrasts(db, project)} == {"learning_rate", "dim"}


def test_seeds_of_one_pattern_are_runs_of_one_pattern(base, ws, db, project, tmp_path):
    for seed in (1, 2):
        own_file(base, tmp_path / f"{seed}.safetensors", CONFIG, session=f"s{seed}", seed=seed)
    import_loras(ws, project, [tmp_path])
    assert [(run["pattern_id"], run["seed"]) for run in runs.of_project(db, project)] == [(1, 1), (1, 2)]


# what is not known


def elsewhere(db, project, label, unknown, **settings):
    config = TrainConfig(**settings)
    return patterns.add_made_elsewhere(db, project, config, label, origin="lora", unknown=unknown, apart=label)


def test_an_unknown_setting_is_no_contrast_unless_it_is_unknown_in_both(db, project):
    here = patterns.add(db, project, TrainConfig(), "here")
    a = elsewhere(db, project, "a", {"noise_offset"}, dim=8)
    assert patterns.contrasts(db, project) == []  # dim differs, and noise_offset may
    b = elsewhere(db, project, "b", {"noise_offset"}, dim=32)
    [contrast] = patterns.contrasts(db, project)
    assert (contrast.setting, contrast.a, contrast.b, contrast.taken_as_equal) == ("dim", a, b, ("noise_offset",))
    c = elsewhere(db, project, "c", {"save_every", "lr_cycles"}, dim=64)  # these play no part
    assert {(pair.a, pair.b) for pair in patterns.contrasts(db, project)} == {(a, b), (here, c)}


def test_two_that_name_different_unknown_bases_are_no_contrast_in_another_setting(db, project):
    def add(label, named_base, dim):
        config, unknown = TrainConfig(dim=dim), {"base_model"}
        about = {"origin": "lora", "unknown": unknown, "apart": label, "named_base": named_base}
        return patterns.add_made_elsewhere(db, project, config, label, **about)

    a, b, c = add("a", "realistic", 8), add("b", "anime", 16), add("c", "realistic", 32)
    d, e = add("d", "", 64), add("e", "", 128)  # whose files name none
    assert {(pair.a, pair.b) for pair in patterns.contrasts(db, project)} == {(a, c), (d, e)}
    assert patterns.listed(db, project)[1].named_base == "anime" and b


def test_files_say_which_base_they_mean_by_hash_or_by_name(ws, db, project, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(packed(tensors(), {"ss_new_sd_model_hash": "AB" * 32}))
    (tmp_path / "b.safetensors").write_bytes(packed(tensors(4), {"ss_sd_model_name": "D:\\models\\Anime.safetensors"}))
    import_loras(ws, project, [tmp_path])
    assert {p.named_base for p in patterns.listed(db, project)} == {"ab" * 32, "anime"}


def test_a_setting_of_which_one_alone_is_known_is_no_contrast(db, project):
    elsewhere(db, project, "a", {"learning_rate"})
    patterns.add(db, project, TrainConfig(learning_rate=1e-3), "here")
    assert patterns.contrasts(db, project) == []


def test_unknown_settings_are_on_no_axis_and_no_change(db, project):
    a = elsewhere(db, project, "a", {"learning_rate", "noise_offset"}, dim=8)
    listed = {p.pattern_id: p for p in patterns.listed(db, project)}
    shown = analysis.active_settings(listed[a].config, listed[a].unknown)
    assert not {"learning_rate", "noise_offset", "text_encoder_lr"} & shown.keys() and shown["dim"] == 8
    here = patterns.add(db, project, TrainConfig(learning_rate=1e-3, dim=4), "here")
    first = {p.pattern_id: p for p in patterns.listed(db, project)}
    assert patterns.changes(first[here], first[a]) == {"dim": 4}


def test_the_known_settings_alone_do_not_make_two_patterns_one(db, project):
    one = elsewhere(db, project, "one", {"optimizer"})
    two = elsewhere(db, project, "two", {"optimizer"})
    again = elsewhere(db, project, "one", {"optimizer"})
    assert one != two and again == one
    assert len(patterns.listed(db, project)) == 2
    with pytest.raises(PatternError, match="no setting nonsense"):
        elsewhere(db, project, "three", {"nonsense"})


def test_what_was_made_elsewhere_is_not_queued_but_offered_as_a_pattern_of_its_own(ws, db, project):
    import_loras(ws, project, golden(*ANNA))
    [pattern] = patterns.listed(db, project)
    for refused in (
        lambda: queue.enqueue(db, project, [pattern.pattern_id], [1]),
        lambda: queue.retrain(db, 1),
        lambda: queue.extend(ws, db, 1, epochs=9),
        lambda: queue.train_final(db, 1),
    ):
        with pytest.raises(QueueError, match="trained elsewhere"):
            refused()
    assert [run["status"] for run in runs.of_project(db, project)] == ["done"]
    own = patterns.train_here(db, project, pattern.pattern_id)
    mine = next(p for p in patterns.listed(db, project) if p.pattern_id == own)
    assert (mine.label, mine.origin, mine.unknown, mine.config) == (
        "anna, trained here",
        None,
        frozenset(),
        pattern.config,
    )
    assert "modules" in mine.note and "captions" in mine.note
    queue.enqueue(db, project, [own], [1])


# keeping


def test_the_tidy_rule_never_takes_a_lora_file_made_elsewhere(ws, db, project):
    import_loras(ws, project, golden(*ANNA))
    db.execute("update plans set config = json_set(config, '$.elsewhere', json('true'))")  # no preview is missing
    assert list(missing.fill_jobs(ws, db, library.project(db, project))) == []
    retention.set_rule(db, project, Rule(loras="last", n=1, states="remove"))
    assert not retention.going(ws, db, project)
    retention.tidy(ws, db, project)
    assert all(ws.path(row["file"]).is_file() for row in runs.checkpoints(db, 1))


def pictures_only(db, project):
    pattern = patterns.add_made_elsewhere(
        db, project, TrainConfig(), "pictures", origin="pictures", unknown=TrainConfig.model_fields, apart="pictures"
    )
    run = runs.add_elsewhere(
        db,
        project_id=project,
        pattern_id=pattern,
        dataset_id=library.project(db, project)["dataset_id"],
        seed=None,
        origin="pictures",
        session="pictures",
        saw_references="unknown",
        step=10,
    )
    about = {"updates": 10, "images_seen": 0, "epoch": 10.0, "file": "", "sha256": "", "bytes": 0, "proof": "{}"}
    runs.add_checkpoint(db, run, **about, is_last=1, name="p-000010")
    return run


def test_a_checkpoint_of_which_only_pictures_are_here_has_no_file(ws, db, project):
    run = pictures_only(db, project)
    [row] = runs.checkpoints(db, run)
    assert (row["file"], row["name"]) == ("", "p-000010") and row["removed_at"] is not None
    assert list(missing.fill_jobs(ws, db, library.project(db, project))) == []
    assert bin.contents(ws, db) == []
    retention.set_rule(db, project, Rule(loras="last", n=1))
    assert not retention.tidy(ws, db, project)
    assert (ws.home / "workbench.db").is_file()


def test_deleting_and_restoring_brings_imported_files_back(ws, db, project):
    import_loras(ws, project, golden(*ANNA))
    pictures_only(db, project)
    for run in runs.of_project(db, project):
        bin.delete_run(db, run["id"])
    items = bin.contents(ws, db)
    assert len(items) == 2 and max(item.bytes for item in items) > 50_000
    for item in items:
        bin.restore(ws, db, item.key)
    assert all(ws.path(row["file"]).is_file() for row in runs.checkpoints(db, 1))
    assert [row["removed_at"] is None for row in runs.checkpoints(db, 2)] == [False]


def test_after_the_bin_is_emptied_the_same_files_can_be_imported_again(ws, db, project):
    import_loras(ws, project, golden(*ANNA))
    bin.delete_run(db, 1)
    bin.empty(ws, db)
    assert import_loras(ws, project, golden(*ANNA)).checkpoints == 3
    assert len(runs.of_project(db, project)) == 1


def test_a_backup_holds_imported_files_and_brings_them_back(ws, db, project, tmp_path):
    import_loras(ws, project, golden(*ANNA, "peft/adapter_model"))
    pictures_only(db, project)
    made = backup.backup(ws, tmp_path / "all.zip")
    assert made.missing == ()
    backup.restore(tmp_path / "all.zip", tmp_path / "again")
    again = Workspace(tmp_path / "again")
    rows = [row for run in (1, 2) for row in runs.checkpoints(again.open(), run)]
    assert len(rows) == 4 and all(again.path(row["file"]).is_file() for row in rows)


# the verb


def test_the_verb_looks_first_and_then_imports(ws, db, project, capsys, tmp_path):
    words = ["--home", str(ws.home), "import-loras", *map(str, golden(*ANNA)), "--json"]
    assert main([*words, "--look"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["known"]["optimizer"] == "adamw8bit" and "captions" in row["unknown"]
    assert runs.of_project(db, project) == []
    assert main([*words, "--label", "anna of 2024", "--same-base"]) == 0
    assert "3 new, 0 there already" in capsys.readouterr().err
    [pattern] = patterns.listed(db, project)
    assert pattern.label == "anna of 2024" and "base_model" not in pattern.unknown
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04")
    assert main(["--home", str(ws.home), "import-loras", str(tmp_path / "a.pt")]) == 1
    said = capsys.readouterr().err
    assert "a.pt" in said and "pickle" in said and "convert" in said
