"""LoRA adapters in a base: names, arithmetic, and that they leave each other and the base alone."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from trainer.adapter import AdapterError, attach, swapped, targets, use
from trainer.base import encode
from trainer.module import Module, column_lengths

SD15_UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
    "norm_num_groups": 32,
}
SD15_TEXT = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
}


def golden_names():
    """The 264 names that sd-scripts writes for Stable Diffusion 1.x, spelled out by hand."""
    places = [f"down_blocks_{block}_attentions_{i}" for block in (0, 1, 2) for i in (0, 1)]
    places += ["mid_block_attentions_0"]
    places += [f"up_blocks_{block}_attentions_{i}" for block in (1, 2, 3) for i in (0, 1, 2)]
    inner = [f"attn{n}_to_{part}" for n in (1, 2) for part in ("q", "k", "v", "out_0")]
    layers = [f"transformer_blocks_0_{one}" for one in (*inner, "ff_net_0_proj", "ff_net_2")]
    unet = [f"lora_unet_{place}_{one}" for place in places for one in ("proj_in", "proj_out", *layers)]
    parts = [f"self_attn_{part}_proj" for part in ("q", "k", "v", "out")] + ["mlp_fc1", "mlp_fc2"]
    return unet + [f"lora_te_text_model_encoder_layers_{n}_{part}" for n in range(12) for part in parts]


def golden_convolutions():
    """The 86 names that conv_dim adds for Stable Diffusion 1.x, spelled out by hand."""
    resnets = [f"down_blocks_{block}_resnets_{i}" for block in range(4) for i in (0, 1)]
    resnets += ["mid_block_resnets_0", "mid_block_resnets_1"]
    resnets += [f"up_blocks_{block}_resnets_{i}" for block in range(4) for i in range(3)]
    wider = ["down_blocks_1_resnets_0", "down_blocks_2_resnets_0", *(name for name in resnets if "up_" in name)]
    names = [f"{resnet}_{one}" for resnet in resnets for one in ("conv1", "conv2", "time_emb_proj")]
    names += [f"{resnet}_conv_shortcut" for resnet in wider]
    names += [f"down_blocks_{block}_downsamplers_0_conv" for block in (0, 1, 2)]
    names += [f"up_blocks_{block}_upsamplers_0_conv" for block in (0, 1, 2)]
    return [f"lora_unet_{name}" for name in names]


@pytest.fixture(scope="module")
def sd15(base):
    """Stable Diffusion 1.5's own sizes without its weights."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet, text_encoder = UNet2DConditionModel(**SD15_UNET), CLIPTextModel(CLIPTextConfig(**SD15_TEXT))
    return dataclasses.replace(base, unet=unet, text_encoder=text_encoder, wrapped={})


_attached = []


@pytest.fixture(autouse=True)
def detach_all():
    """Each test leaves the shared base as it found it, also when it fails."""
    yield
    while _attached:
        _attached.pop().detach()


def attached(base, name="one", seed=0, dim=4, alpha=1.0, text_encoder=True, filled=True, **kw):
    """An adapter, by default one that changes something."""
    generator = torch.Generator().manual_seed(seed)
    adapter = attach(base, name, dim=dim, alpha=alpha, text_encoder=text_encoder, generator=generator, **kw)
    _attached.append(adapter)
    if filled:
        with torch.no_grad():
            for module in adapter.modules.values():
                module.up.normal_(std=0.05, generator=generator)
                if module.dora_scale is not None:
                    module.dora_scale.mul_(1 + 0.1 * torch.randn(module.dora_scale.shape, generator=generator))
    return adapter


@pytest.fixture
def adapter(base):
    return attached(base)


def speak(base, grad=False):
    """What the base says to fixed noise, through text encoder and U-Net, with whatever adapter is in use."""
    noise = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.set_grad_enabled(grad):
        embeddings = encode(base, ["photo of a woman", "photo of a man"], 1, grad=grad)
        return base.unet(noise, 300, embeddings, return_dict=False)[0]


def answer(base, adapter=None, strength=1.0, grad=False, training=False):
    with use(base, adapter, strength, training):
        return speak(base, grad)


def layers(base):
    """Two adapted layers of the U-Net, a linear one and a 3x3 convolution with stride 2, with something to read."""
    mid, down = base.unet.mid_block.attentions[0], base.unet.down_blocks[1].downsamplers[0]
    generator = torch.Generator().manual_seed(1)
    return [
        (
            "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_2",
            lambda: mid.transformer_blocks[0].ff.net[2],
            torch.randn(2, 3, 512, generator=generator),
        ),
        (
            "lora_unet_down_blocks_1_downsamplers_0_conv",
            lambda: down.conv,
            torch.randn(2, 128, 6, 6, generator=generator),
        ),
    ]


def by_weight(layer, weight, x):
    """What a layer says with another weight."""
    if weight.dim() == 2:
        return nn.functional.linear(x, weight, layer.bias)
    return nn.functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)


def fingerprint(base):
    """Every parameter of the base by the name that it has without adapters: its object and a copy."""
    found = {}
    for part in ("unet", "text_encoder", "vae"):
        for name, parameter in getattr(base, part).named_parameters():
            if ".lora_" not in name:
                key = f"{part}.{name.replace('.base_layer', '')}"
                found[key] = (parameter, parameter.detach().clone(), parameter.requires_grad)
    return found


def assert_untouched(base, before):
    after = fingerprint(base)
    assert after.keys() == before.keys()
    for key, (parameter, copy, grad) in before.items():
        assert after[key][0] is parameter and torch.equal(parameter, copy), key
        assert parameter.requires_grad == grad, key


def test_sd15_has_exactly_the_264_modules_of_kohya(sd15):
    names = golden_names()
    assert len(names) == len(set(names)) == 264
    assert list(targets(sd15)) == sorted(names)
    assert sum(name.startswith("lora_unet_") for name in targets(sd15)) == 192


def test_a_meta_device_adapter_has_kohyas_shapes_convolutions_included(sd15):
    adapter = attached(sd15, dim=8, filled=False)
    place = "lora_unet_down_blocks_1_attentions_0_"
    shapes = {
        f"{place}proj_in": ((8, 640, 1, 1), (640, 8, 1, 1)),
        f"{place}proj_out": ((8, 640, 1, 1), (640, 8, 1, 1)),
        f"{place}transformer_blocks_0_attn2_to_k": ((8, 768), (640, 8)),
        f"{place}transformer_blocks_0_ff_net_0_proj": ((8, 640), (5120, 8)),
        f"{place}transformer_blocks_0_ff_net_2": ((8, 2560), (640, 8)),
        "lora_te_text_model_encoder_layers_11_mlp_fc1": ((8, 768), (3072, 8)),
    }
    for name, (down, up) in shapes.items():
        module = adapter.modules[name]
        assert (tuple(module.down.shape), tuple(module.up.shape)) == (down, up)
    adapter.detach()


def test_the_miniature_has_the_same_modules_for_its_own_depth(base):
    golden = [name for name in golden_names() if not any(f"layers_{n}_" in name for n in range(4, 12))]
    assert list(targets(base)) == sorted(golden)
    assert len(golden) == 192 + 24


def test_locon_adds_exactly_the_86_modules_of_sd_scripts(sd15):
    names = golden_names() + golden_convolutions()
    assert len(names) == len(set(names)) == 264 + 86
    assert list(targets(sd15, convolutions=True)) == sorted(names)
    assert sum(name.startswith("lora_unet_") for name in names) == 278


def test_locon_gives_3x3_convolutions_their_own_dim_and_alpha(sd15):
    adapter = attached(sd15, dim=8, alpha=4.0, conv_dim=2, conv_alpha=3.0, filled=False)
    place = "lora_unet_up_blocks_1_"
    shapes = {  # down, up, alpha
        f"{place}resnets_0_conv1": ((2, 2560, 3, 3), (1280, 2, 1, 1), 3.0),
        f"{place}resnets_0_conv_shortcut": ((8, 2560, 1, 1), (1280, 8, 1, 1), 4.0),
        f"{place}resnets_0_time_emb_proj": ((8, 1280), (1280, 8), 4.0),
        f"{place}upsamplers_0_conv": ((2, 1280, 3, 3), (1280, 2, 1, 1), 3.0),
        "lora_unet_down_blocks_0_downsamplers_0_conv": ((2, 320, 3, 3), (320, 2, 1, 1), 3.0),
        f"{place}attentions_0_proj_in": ((8, 1280, 1, 1), (1280, 8, 1, 1), 4.0),
    }
    for name, (down, up, alpha) in shapes.items():
        module = adapter.modules[name]
        assert (tuple(module.down.shape), tuple(module.up.shape), module.alpha) == (down, up, alpha)
    assert adapter.scale == 0.5
    adapter.detach()


def test_conv_alpha_that_is_not_given_scales_by_1(base):
    adapter = attached(base, conv_dim=3)
    assert adapter.modules["lora_unet_down_blocks_0_resnets_0_conv1"].scale == 1
    adapter.detach()


def test_locon_under_attention_only_adds_the_same_convolutions(sd15):
    names = targets(sd15, "attention", text_encoder=False, convolutions=True)
    assert len(names) == 16 * 8 + 86
    assert set(golden_convolutions()) < set(names)


def test_a_convolution_adds_its_scaled_two_convolutions(base):
    adapter = attached(base, conv_dim=2, conv_alpha=3.0)
    for name, layer, x in layers(base):
        module, plain = adapter.modules[name], layer().get_base_layer()
        with torch.no_grad(), use(base, adapter, 0.5):
            said = layer()(x)
        delta = module.scale * torch.einsum("or,r...->o...", module.up.flatten(1), module.down)
        torch.testing.assert_close(said, by_weight(plain, plain.weight + 0.5 * delta, x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(adapter.modules[name].scale, 1.5)
    adapter.detach()


def test_the_other_modules_start_the_same_with_and_without_convolutions(base):
    plain, locon = attached(base, "plain", filled=False), attached(base, "locon", conv_dim=2, filled=False)
    assert all(torch.equal(module.down, locon.modules[name].down) for name, module in plain.modules.items())
    assert len(locon.modules) > len(plain.modules)
    locon.detach()
    plain.detach()


def test_rslora_scales_by_alpha_over_the_root_of_dim_and_saves_that_as_kohyas_alpha(base):
    adapter = attached(base, dim=16, alpha=3.0, conv_dim=4, conv_alpha=1.0, rslora=True)
    module = adapter.modules["lora_te_text_model_encoder_layers_0_mlp_fc1"]
    assert (module.alpha, module.scale, adapter.scale) == (12.0, 0.75, 0.75)  # 3 x sqrt 16; 3 / sqrt 16
    assert adapter.modules["lora_unet_mid_block_resnets_0_conv1"].scale == 0.5  # 1 / sqrt 4
    layer = base.text_encoder.encoder.layers[0].mlp.fc1
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), use(base, adapter):
        change = layer(x) - by_weight(layer, layer.weight, x)
        torch.testing.assert_close(change, 0.75 * x @ module.down.T @ module.up.T, atol=1e-5, rtol=1e-4)
    adapter.detach()


def test_a_dora_by_hand():
    """W = [[3, 0], [4, 1]], scale x up @ down = [[0, 2], [-4, 0]]: columns (3, 0), (2, 1) of length 3, sqrt 5."""
    module = Module(torch.eye(2), torch.tensor([[0.0, 1.0], [-2.0, 0.0]]), 4.0, torch.tensor([[6.0, 1.0]]))
    plain = torch.tensor([[3.0, 0.0], [4.0, 1.0]])
    whole = torch.tensor([[6.0, 2 / math.sqrt(5)], [0.0, 1 / math.sqrt(5)]])
    assert torch.equal(column_lengths(plain), torch.tensor([[5.0, 1.0]]))
    torch.testing.assert_close(module.weight(plain), whole)
    torch.testing.assert_close(module.weight(plain, 0.5), (plain + whole) / 2)  # as ComfyUI, Forge and A1111 do
    torch.testing.assert_close(module.weight(plain, 0.0), plain)


def test_a_dora_layer_says_what_its_merged_weight_says(base):
    adapter = attached(base, conv_dim=2, conv_alpha=1.0, dora=True)
    for name, layer, x in layers(base):
        module, plain = adapter.modules[name], layer().get_base_layer()
        for strength in (1.0, 0.5, -1.0):
            with torch.no_grad(), use(base, adapter, strength):
                said = layer()(x)
            wanted = by_weight(plain, module.weight(plain.weight.detach(), strength), x)
            torch.testing.assert_close(said, wanted, atol=2e-5, rtol=1e-4)
    adapter.detach()


def test_a_dora_layer_learns_as_the_paper_says_with_the_norm_held_still(base):
    adapter = attached(base, conv_dim=2, conv_alpha=1.0, dora=True)
    for name, layer, x in layers(base):
        module, plain = adapter.modules[name], layer().get_base_layer()
        with use(base, adapter):
            layer()(x).square().sum().backward()
        copies = [tensor.detach().clone().requires_grad_() for tensor in module.tensors.values()]
        down, up, lengths = copies
        whole = plain.weight + module.scale * torch.einsum("or,r...->o...", up.flatten(1), down)
        by_weight(plain, whole * lengths / column_lengths(whole).detach(), x).square().sum().backward()
        for ours, theirs in zip(module.tensors.values(), copies, strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-2, rtol=1e-3)
    adapter.detach()


def test_a_fresh_dora_has_the_lengths_of_the_bases_columns_and_changes_no_bit(base):
    adapter = attached(base, dora=True, filled=False)
    weight = base.unet.mid_block.attentions[0].proj_in.weight.detach()
    lengths = adapter.modules["lora_unet_mid_block_attentions_0_proj_in"].dora_scale
    assert lengths.shape == (1, 128, 1, 1) and lengths.requires_grad
    torch.testing.assert_close(lengths.flatten(), weight.flatten(1).square().sum(0).sqrt())
    assert torch.equal(answer(base, adapter), answer(base))
    assert len(adapter.parameters()) == 3 * 216 and len(adapter.parameters("text_encoder")) == 3 * 24
    adapter.detach()


def test_a_dora_state_goes_back_bit_for_bit_and_fits_no_plain_adapter(base, adapter):
    dora = attached(base, "dora", dora=True)
    state = dora.state()
    assert len(state) == 4 * 216
    again = attached(base, "again", seed=9, dora=True)
    again.load_state(state)
    assert all(torch.equal(tensor, state[key]) for key, tensor in again.state().items())
    with pytest.raises(AdapterError, match="dora_scale"):
        adapter.load_state(state)
    again.detach()
    dora.detach()


def test_dora_and_plain_adapters_live_on_one_base_and_leave_it_as_it_was(base):
    before, plain = fingerprint(base), answer(base)
    dora, other = attached(base, "dora", dora=True, conv_dim=2), attached(base, "other", seed=2)
    wanted, others = answer(base, dora), answer(base, other)
    with use(base, dora, 0.5):
        assert torch.equal(answer(base, other), others)
        answer(base, dora, 2.0)
        torch.testing.assert_close(speak(base), answer(base, dora, 0.5), atol=0, rtol=0)
    assert torch.equal(answer(base, dora), wanted) and not torch.equal(wanted, others)
    other.detach()
    assert torch.equal(answer(base, dora), wanted)
    dora.detach()
    assert torch.equal(answer(base), plain)
    assert_untouched(base, before)


def test_dropout_zeroes_that_share_behind_lora_down_and_makes_up_for_it(base):
    chance = torch.Generator().manual_seed(4)
    adapter = attached(base, dim=16, dropout=0.25, chance=chance)
    name = "lora_te_text_model_encoder_layers_2_self_attn_v_proj"
    module, layer = adapter.modules[name], base.text_encoder.encoder.layers[2].self_attn.v_proj
    x = torch.randn(50, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), use(base, adapter, training=True):
        said = layer(x)
    kept = torch.empty(50, 16).bernoulli_(0.75, generator=torch.Generator().manual_seed(4))
    assert 0.2 < 1 - kept.mean() < 0.3
    wanted = by_weight(layer, layer.weight, x) + module.scale * (x @ module.down.T * kept / 0.75) @ module.up.T
    torch.testing.assert_close(said, wanted, atol=1e-5, rtol=1e-4)
    adapter.detach()


def test_dropout_is_off_outside_training_and_draws_from_its_own_generator_alone(base):
    chance = torch.Generator().manual_seed(4)
    adapter, sure = attached(base, "chance", dropout=0.5, chance=chance), attached(base, "sure")
    first, whole = chance.get_state(), torch.random.get_rng_state()
    torch.testing.assert_close(answer(base, adapter), answer(base, sure))
    assert torch.equal(chance.get_state(), first)
    one, two = answer(base, adapter, training=True), answer(base, adapter, training=True)
    assert not torch.equal(one, two)
    with use(base, adapter, training=True):
        torch.testing.assert_close(answer(base, adapter), answer(base, sure))  # a proof in the midst of training
        assert adapter.training
    assert not adapter.training and torch.equal(torch.random.get_rng_state(), whole)
    chance.set_state(first)  # as a resumed run does
    assert torch.equal(answer(base, adapter, training=True), one)
    sure.detach()
    adapter.detach()


@pytest.mark.parametrize("kind", [{}, {"dora": True}])
def test_dropout_trains_the_same_again_from_the_same_state_of_chance(base, kind):
    chance = torch.Generator().manual_seed(4)
    states = []
    for _ in range(2):
        chance.manual_seed(4)
        adapter = attached(base, filled=False, dropout=0.5, chance=chance, **kind)
        optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-3)
        for _ in range(2):
            answer(base, adapter, grad=True, training=True).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        states.append(adapter.state())
        adapter.detach()
    assert all(torch.equal(tensor, states[1][key]) for key, tensor in states[0].items())


def test_attention_only_leaves_out_feed_forward_and_projections(sd15):
    names = targets(sd15, "attention", text_encoder=False)
    assert len(names) == 16 * 8
    assert all("_attn1_" in name or "_attn2_" in name for name in names)


def test_an_unknown_set_of_modules_is_refused(base):
    with pytest.raises(AdapterError, match="everything"):
        targets(base, "everything")


def test_both_layouts_of_the_text_encoder_have_the_same_names(base):
    from transformers import CLIPTextModelWithProjection

    nested = CLIPTextModelWithProjection(base.text_encoder.config).eval().requires_grad_(False)
    other = dataclasses.replace(base, text_encoder=nested, wrapped={})
    assert list(targets(other)) == list(targets(base))
    adapter = attached(other, "nested")
    assert len(adapter.parameters("text_encoder")) == 2 * 24
    plain = answer(other)
    assert not torch.equal(answer(other, adapter), plain)
    adapter.detach()
    assert torch.equal(answer(other), plain)


def test_a_fresh_adapter_is_kaiming_uniform_below_and_zero_above(base):
    adapter = attached(base, dim=16, filled=False)
    for name, module in adapter.modules.items():
        bound = 1 / math.sqrt(module.down[0].numel())  # kaiming-uniform with a = sqrt 5
        assert module.down.abs().max() <= bound, name
        assert module.down.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1), name
        assert not module.up.any()
        assert module.down.dtype == module.up.dtype == torch.float32
    assert torch.equal(answer(base, adapter), answer(base))
    adapter.detach()


def test_the_start_depends_on_the_generator_alone_and_is_drawn_in_name_order_unet_first(base):
    chance = torch.random.get_rng_state()
    one, same, other = attached(base, "one", 7), attached(base, "same", 7), attached(base, "other", 8)
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert all(torch.equal(tensor, same.state()[key]) for key, tensor in one.state().items())
    first, second = [name for name in one.modules if name.startswith("lora_unet")][:2]
    assert not torch.equal(one.modules[first].down, other.modules[first].down)
    generator = torch.Generator().manual_seed(7)
    for name in (first, second):
        by_hand = torch.empty_like(one.modules[name].down)
        nn.init.kaiming_uniform_(by_hand, a=math.sqrt(5), generator=generator)
        assert torch.equal(one.modules[name].down, by_hand)
    for each in (one, same, other):
        each.detach()


def test_a_layer_adds_alpha_over_dim_times_up_down_x(base, adapter):
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    name = "lora_te_text_model_encoder_layers_2_self_attn_v_proj"
    module, layer = adapter.modules[name], base.text_encoder.encoder.layers[2].self_attn.v_proj
    plain = nn.functional.linear(x, layer.weight, layer.bias)
    change = x @ module.down.T @ module.up.T
    for strength in (1.0, 0.5, 2.0, -1.0):
        with use(base, adapter, strength):
            torch.testing.assert_close(layer(x), plain + strength * 0.25 * change)
    assert torch.equal(layer(x), plain)


def test_strength_0_and_no_adapter_are_the_base_to_the_bit(base):
    plain = answer(base)
    adapter = attached(base)
    assert not torch.equal(answer(base, adapter), plain)
    assert torch.equal(answer(base, adapter, 0.0), plain)
    assert torch.equal(answer(base, None), plain)
    adapter.detach()
    assert torch.equal(answer(base), plain)


def test_the_text_encoder_takes_part_only_when_it_is_trained(base):
    with_text, without = attached(base, "with"), attached(base, "without", text_encoder=False)
    assert without.parameters("text_encoder") == [] and len(without.parameters()) == 2 * 192
    assert len(with_text.parameters("text_encoder")) == 2 * 24
    assert with_text.parameters()[:2] == with_text.parameters("text_encoder")[:2]
    plain = encode(base, ["photo"], 1)
    with use(base, without):
        assert torch.equal(encode(base, ["photo"], 1), plain)
    with use(base, with_text):
        assert not torch.equal(encode(base, ["photo"], 1), plain)
    with_text.detach()
    without.detach()


def test_use_inside_use_gives_back_the_outer_adapter_and_strength(base, adapter):
    other = attached(base, "other", seed=3)
    wanted = answer(base, adapter, 0.5)
    with use(base, adapter, 0.5):
        answer(base, other)
        answer(base, None)
    assert torch.equal(answer(base, adapter, 0.5), wanted)
    assert not torch.equal(wanted, answer(base, other, 0.5))
    with pytest.raises(RuntimeError), use(base, adapter):
        raise RuntimeError("in the middle")
    assert torch.equal(answer(base), answer(base, None))
    other.detach()


def test_use_inside_use_of_one_adapter_gives_back_the_outer_strength(base, adapter):
    with use(base, adapter, 0.5):
        before = speak(base)
        with use(base, adapter, 2.0):
            assert not torch.equal(speak(base), before)
        assert torch.equal(speak(base), before)


def test_an_adapter_that_comes_and_goes_does_not_push_out_the_one_in_use(base, adapter):
    with use(base, adapter):
        before = speak(base)
        second = attached(base, "second", modules="attention", text_encoder=False)
        assert torch.equal(speak(base), before)
        second.detach()
        assert torch.equal(speak(base), before)


def test_an_adapter_that_goes_while_in_use_leaves_the_plain_base_not_another_adapter(base, adapter):
    for parameter in adapter.parameters():
        parameter.requires_grad_(False)
    plain = speak(base)
    second = attached(base, "second", seed=2)
    with use(base, second):
        second.detach()
        assert torch.equal(speak(base), plain)
    assert torch.equal(speak(base), plain)
    assert not any(parameter.requires_grad for parameter in adapter.parameters())


def train(base, adapter, updates, between=lambda: None):
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-3)
    for _ in range(updates):
        answer(base, adapter, grad=True).square().mean().backward()
        between()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        between()


def test_another_adapter_that_comes_and_goes_leaves_the_training_one_bit_identical(base):
    before = fingerprint(base)
    alone = attached(base, "alone", filled=False)
    train(base, alone, 3)
    wanted = alone.state()
    alone.detach()

    training = attached(base, "training", filled=False)

    def disturb():
        objects = [(p, p.detach().clone(), p.requires_grad) for p in training.parameters()]
        second = attached(base, "second", seed=9, text_encoder=False)
        answer(base, second)
        with use(base, training):
            answer(base, second, 0.7)
        second.detach()
        for parameter, (same, copy, grad) in zip(training.parameters(), objects, strict=True):
            assert parameter is same and torch.equal(parameter, copy) and parameter.requires_grad and grad

    train(base, training, 3, disturb)
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in training.state().items())
    assert any(tensor.any() for key, tensor in wanted.items() if "_up" in key)
    training.detach()
    training.detach()  # again does nothing
    assert_untouched(base, before)


def test_two_adapters_trained_in_turns_do_not_reach_each_other(base):
    one, two = attached(base, "one"), attached(base, "two", seed=2)
    answer(base, one, grad=True).sum().backward()
    assert all(p.grad is not None for p in one.parameters())
    assert all(p.grad is None for p in two.parameters())
    one.detach()
    answer(base, two, grad=True).sum().backward()
    assert all(p.grad is not None for p in two.parameters())
    two.detach()


def test_after_the_last_adapter_the_base_is_made_of_plain_layers_again(base):
    before, layers = fingerprint(base), [type(m) for m in base.unet.modules()]
    one, two = attached(base, "one"), attached(base, "two")
    assert [type(m) for m in base.unet.modules()] != layers
    one.detach()
    two.detach()
    assert [type(m) for m in base.unet.modules()] == layers
    assert base.wrapped == {} and not hasattr(base.unet, "peft_config")
    assert_untouched(base, before)


def test_swapped_weights_are_seen_inside_and_gone_afterwards(base, adapter):
    before, plain = fingerprint(base), answer(base)
    name = "lora_unet_mid_block_attentions_0_proj_in"
    weight = base.unet.mid_block.attentions[0].proj_in.weight
    with pytest.raises(RuntimeError), swapped(base, {name: torch.zeros_like(weight)}):
        assert not torch.equal(answer(base), plain)
        raise RuntimeError("in the middle")
    assert_untouched(base, before)
    with use(base, adapter), swapped(base, {}):  # no adapter takes part in it, whoever was chosen before
        assert torch.equal(speak(base), plain)


def test_a_state_goes_back_into_another_adapter_bit_for_bit(base, adapter):
    state = adapter.state()
    assert len(state) == 3 * 216 and all(t.dtype == torch.float32 for t in state.values())
    assert {float(t) for key, t in state.items() if key.endswith(".alpha")} == {1.0}
    again = attached(base, "again", seed=99)
    parameters = again.parameters()
    again.load_state(state)
    assert all(torch.equal(tensor, state[key]) for key, tensor in again.state().items())
    assert all(one is two for one, two in zip(parameters, again.parameters(), strict=True))
    with torch.no_grad():
        again.parameters()[0].add_(1)
    assert all(torch.equal(tensor, state[key]) for key, tensor in adapter.state().items())
    again.detach()


@pytest.mark.parametrize("damage", ["alpha", "shape", "key"])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(base, adapter, damage):
    state = {key: torch.zeros_like(tensor) for key, tensor in adapter.state().items()}
    state |= {key: tensor for key, tensor in adapter.state().items() if key.endswith(".alpha")}
    name = list(adapter.modules)[-1]
    if damage == "alpha":
        state[f"{name}.alpha"] = torch.tensor(2.0)
    elif damage == "shape":
        state[f"{name}.lora_up.weight"] = torch.zeros(3, 3)
    else:
        del state[f"{name}.lora_up.weight"]
    before = adapter.state()
    with pytest.raises(AdapterError, match=name):
        adapter.load_state(state)
    assert all(torch.equal(tensor, before[key]) for key, tensor in adapter.state().items())


def test_a_name_is_used_once_and_sizes_are_positive(base, adapter):
    with pytest.raises(AdapterError, match="'one'"):
        attached(base, "one")
    for dim, alpha in ((0, 1.0), (4, 0.0), (4, float("nan"))):
        with pytest.raises(AdapterError, match=f"dim is {dim}"):
            attached(base, "zero", dim=dim, alpha=alpha)
    with pytest.raises(AdapterError, match="conv_dim is 0"):
        attached(base, "zero", conv_dim=0)
    for dropout in (1.0, -0.1, 0.5):  # the last has no generator
        with pytest.raises(AdapterError, match=f"dropout is {dropout}"):
            attached(base, "zero", dropout=dropout)
