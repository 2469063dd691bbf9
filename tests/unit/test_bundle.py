"""Bundles: bit for bit there and back; whatever is damaged or hostile is refused with a sentence."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_models import aligned, classifier, classifier_bundle, language_model, language_model_bundle, random_codes

import dnalm
from dnalm.errors import BundleError, InputError
from dnalm.model.bundle import find_bundle, list_bundles, load_module, read_bundle, weights_hash, write_bundle
from dnalm.model.config import BundleConfig, EncoderConfig, WideHeadConfig
from dnalm.model.predict import Classifier


@pytest.fixture
def folder(tmp_path):
    return classifier_bundle(tmp_path / "toy").folder


def change(folder, **fields):
    """Overwrite fields of config.json; None takes one away."""
    path = folder / "config.json"
    document = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({key: value for key, value in document.items() if value != "absent"}))


def change_weights(folder, work):
    tensors = load_file(folder / "model.safetensors")
    work(tensors)
    save_file(tensors, folder / "model.safetensors")


def sentence(folder) -> str:
    with pytest.raises(BundleError) as caught:
        dnalm.load(folder)
    text = str(caught.value)
    assert str(folder) in text
    assert "\n" not in text.strip()
    return text


FIRST = "members.0.encoder.embedding.weight"


class TestThereAndBack:
    @pytest.mark.parametrize("head", [aligned(20), WideHeadConfig(length=20, components=3)])
    def test_a_classifier_bit_for_bit(self, tmp_path, head):
        module = classifier(head, tied=True, layers=2)
        bundle = classifier_bundle(tmp_path / "toy", module, window=20, anchor=3, description="ü")
        back = dnalm.load(tmp_path / "toy")
        for name, tensor in module.state_dict().items():
            assert torch.equal(back.module.state_dict()[name], tensor), name
        assert back.config == bundle.config
        assert back.config.description == "ü"
        codes = random_codes(60).reshape(3, 20)
        direct = module(torch.from_numpy(codes), torch.full((3,), 20)).detach().numpy()
        assert np.array_equal(back.logits(codes), direct)

    @pytest.mark.parametrize("head", ["continuation", "vocabulary"])
    @pytest.mark.parametrize("tied", [False, True])
    def test_a_language_model_bit_for_bit(self, tmp_path, head, tied):
        model = language_model(head, tied=tied).eval()
        language_model_bundle(tmp_path / "lm", model)
        codes = torch.from_numpy(random_codes(50)[None])
        assert torch.equal(dnalm.load(tmp_path / "lm").module(codes).nats, model(codes).nats)

    def test_weights_read_for_training_stay_tied(self, tmp_path):
        model = language_model("vocabulary", tied=True)
        bundle = language_model_bundle(tmp_path / "lm", model)
        back = load_module(bundle, lambda: language_model("vocabulary", tied=True, seed=1))
        assert back.decoder.weight is back.encoder.embedding.weight
        assert torch.equal(back.decoder.weight, model.decoder.weight)

    def test_writing_again_replaces_and_leaves_nothing_beside(self, tmp_path):
        first = classifier_bundle(tmp_path / "toy")
        before = weights_hash(first.folder)
        classifier_bundle(tmp_path / "toy", classifier(seed=1))
        assert weights_hash(first.folder) != before
        assert [path.name for path in tmp_path.iterdir()] == ["toy"]
        assert sorted(path.name for path in first.folder.iterdir()) == [
            "README.md",
            "config.json",
            "metrics.json",
            "model.safetensors",
        ]

    def test_the_card_and_figures_may_be_missing(self, folder):
        (folder / "README.md").unlink()
        (folder / "metrics.json").unlink()
        model = dnalm.load(folder)
        assert (model.card, model.metrics) == ("", {})


class TestDamagedWeights:
    def test_cut_short(self, folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        assert "the weights cannot be read" in sentence(folder)

    @pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"\xff" * 64, b"not tensors"])
    def test_not_safetensors(self, folder, content):
        (folder / "model.safetensors").write_bytes(content)
        assert "the weights cannot be read" in sentence(folder)

    def test_a_pickle_is_not_opened(self, folder, tmp_path):
        class Hostile:
            def __reduce__(self):
                return (open, (str(tmp_path / "pwned"), "w"))

        (folder / "model.safetensors").write_bytes(pickle.dumps(Hostile()))
        assert "the weights cannot be read" in sentence(folder)
        torch.save({"a": torch.zeros(1)}, folder / "model.safetensors")
        assert "the weights cannot be read" in sentence(folder)
        assert not (tmp_path / "pwned").exists()

    def test_a_missing_tensor(self, folder):
        change_weights(folder, lambda tensors: tensors.pop(FIRST))
        assert f"1 tensors that config.json calls for are missing, first {FIRST}" in sentence(folder)

    def test_an_extra_tensor(self, folder):
        change_weights(folder, lambda tensors: tensors.update(extra=torch.zeros(2)))
        assert "1 tensors that config.json does not call for, first extra" in sentence(folder)

    def test_a_wrong_shape(self, folder):
        change_weights(folder, lambda tensors: tensors.update({FIRST: torch.zeros(65, 8)}))
        assert f"tensor {FIRST} has shape (65, 8), config.json calls for (66, 8)" in sentence(folder)

    def test_a_wrong_type(self, folder):
        change_weights(folder, lambda tensors: tensors.update({FIRST: torch.zeros(66, 8, dtype=torch.int64)}))
        assert f"tensor {FIRST} holds torch.int64, config.json calls for torch.float32" in sentence(folder)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_values_that_are_no_numbers(self, folder, value):
        change_weights(folder, lambda tensors: tensors[FIRST].__setitem__((3, 1), value))
        assert f"tensor {FIRST} holds values that are not numbers" in sentence(folder)

    def test_no_weights(self, folder):
        (folder / "model.safetensors").unlink()
        assert "not a model: config.json and model.safetensors are wanted" in sentence(folder)


class TestDamagedConfig:
    @pytest.mark.parametrize(
        "text", ["", "{", "\x00", "[1, 2", "[" * 200_000, '{"n": ' + "9" * 5000 + "}", "Infinity]"]
    )
    def test_not_json(self, folder, text):
        (folder / "config.json").write_text(text)
        assert "config.json: not JSON" in sentence(folder)

    def test_not_text(self, folder):
        (folder / "config.json").write_bytes(b"\xff\xfe\x00")
        assert "config.json: not JSON" in sentence(folder)

    @pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
    def test_not_an_object(self, folder, text):
        (folder / "config.json").write_text(text)
        assert "config.json: one JSON object is wanted" in sentence(folder)

    @pytest.mark.parametrize("name", ["config.json", "metrics.json"])
    def test_larger_than_any_model_needs(self, folder, name):
        with (folder / name).open("ab") as file:
            file.truncate((16 << 20) + 1)  # a hole: no disk is filled
        assert f"{name}: 16,777,217 bytes; 16,777,216 at most" in sentence(folder)

    def test_a_card_of_any_size_is_read_at_its_beginning(self, folder):
        with (folder / "README.md").open("ab") as file:
            file.truncate(1 << 33)
        assert len(read_bundle(folder).card) == 16 << 20

    def test_the_next_schema(self, folder):
        change(folder, schema_version=2)
        assert "schema version 2, this dnalm reads version 1" in sentence(folder)
        change(folder, schema_version="absent")
        assert "schema version None" in sentence(folder)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"weight_decay": 3}, "field weight_decay: Extra inputs"),
            ({"name": "../evil"}, "field name: "),
            ({"labels": ["promoter"]}, "a classifier has at least two labels, all different"),
            ({"labels": ["promoter", "promoter"]}, "all different"),
            ({"labels": ["a", "b"]}, "positive is one of exactly two labels"),
            ({"labels": ["background", "promoter", "third"]}, "positive is one of exactly two labels"),
            ({"threshold": 1.5}, "field threshold"),
            ({"threshold": float("nan")}, "field threshold"),
            ({"members": []}, "at least one entry in members"),
            ({"kind": "language-model"}, "a language model has the fields encoder and lm_head"),
            ({"kind": "oracle"}, "field kind"),
            ({"modes": ["telepathy"]}, "field modes.0"),
            ({"anchor": -1}, "field anchor"),
        ],
    )
    def test_fields_that_do_not_fit(self, folder, fields, words):
        change(folder, **fields)
        assert words in sentence(folder)

    def test_labels_that_do_not_fit_the_weights(self, folder):
        change(folder, labels=["a", "b", "c"], positive=None)
        assert "has shape (2,), config.json calls for (3,)" in sentence(folder)

    def test_sizes_that_lie_cost_no_memory(self, folder):
        """This encoder would take 30 GB: the weights are compared with it before any is given."""
        members = json.loads((folder / "config.json").read_text())["members"]
        members[0]["encoder"] |= {"hidden": 8192, "layers": 8, "embedding": 4096, "k": 8}
        change(folder, members=members)
        assert "config.json calls for" in sentence(folder)


class TestFinding:
    def test_by_name_the_own_before_the_shipped(self, home, tmp_path, monkeypatch):
        from dnalm.settings import settings

        monkeypatch.setenv("DNALM_SHIPPED", str(tmp_path / "shipped"))
        settings.cache_clear()
        classifier_bundle(tmp_path / "shipped" / "models" / "both")
        classifier_bundle(tmp_path / "shipped" / "models" / "only-shipped")
        classifier_bundle(home / "models" / "both")
        assert find_bundle("both") == home / "models" / "both"
        assert find_bundle("only-shipped") == tmp_path / "shipped" / "models" / "only-shipped"
        assert [path.name for path in list_bundles()] == ["both", "only-shipped"]
        assert list_bundles()[0] == home / "models" / "both"

    @pytest.mark.parametrize("name", ["../secret", "a/../../secret", "nowhere", "..\\secret", "secret\x00"])
    def test_a_name_does_not_lead_out_of_the_models(self, home, tmp_path, name):
        classifier_bundle(home / "secret")
        with pytest.raises(InputError, match="no model"):
            find_bundle(name)

    def test_a_folder_without_a_model_is_refused(self, tmp_path):
        with pytest.raises(BundleError, match="not a model"):
            dnalm.load(tmp_path)


def test_a_bundle_is_whole_or_absent(tmp_path, monkeypatch):
    """A write that fails leaves what was there before."""
    module = classifier()
    config = BundleConfig(kind="classifier", name="toy", members=[module.members[0].config], labels=["a", "b"])
    write_bundle(tmp_path / "toy", config, module, {}, "first")
    with pytest.raises(TypeError):
        write_bundle(tmp_path / "toy", config, module, {"figure": object()}, "second")
    assert Classifier(read_bundle(tmp_path / "toy")).card == "first"


def test_dropout_times_a_factor():
    config = EncoderConfig(weight_dropout=0.9).with_dropout(0.5)
    assert config.weight_dropout == 0.1  # the published rate, 0.2, halved: not the one it had
    assert EncoderConfig().with_dropout(0) == EncoderConfig(
        embedding_dropout=0, input_dropout=0, hidden_dropout=0, weight_dropout=0, output_dropout=0
    )
