"""LoRA adapters inside a base model: attach, train, switch, detach. The only module that touches peft."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from trainer.base import BaseModel, text_body
from trainer.dialect import ALPHA
from trainer.module import Forward, Module, column_lengths

Part = Literal["unet", "text_encoder"]
PREFIXES: dict[Part, str] = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}
CONVOLUTIONS = ("ResnetBlock2D", "Downsample2D", "Upsample2D")  # blocks of the U-Net that LoCon adapts too
TEXT_TARGET = re.compile(r"encoder\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])")


class AdapterError(ValueError):
    """An adapter that does not fit its base model."""


@dataclass(frozen=True)
class Target:
    """A layer that a LoRA can adapt: which model, where in it, and the layer itself."""

    part: Part
    path: str
    layer: Any  # nn.Linear or nn.Conv2d

    @property
    def shape(self) -> tuple[int, ...]:
        """(out, in) for a linear layer, (out, in, k, k) for a convolution."""
        return tuple(self.layer.weight.shape)


@dataclass(eq=False)
class Adapter:
    """A LoRA that lives in a base model, its modules sorted by kohya name."""

    base: BaseModel = field(repr=False)
    name: str
    modules: dict[str, Module] = field(repr=False)
    dropout: float = 0.0
    chance: torch.Generator | None = field(default=None, repr=False)
    strength: float = 1.0  # these two are as the innermost `use` of this adapter says
    training: bool = False

    @property
    def scale(self) -> float:
        """What up @ down of its first module is multiplied with; every module but a 3x3 convolution shares it."""
        return next(iter(self.modules.values())).scale

    def parameters(self, part: Part | None = None) -> list[Tensor]:
        """down, up and dora_scale of each module in name order; of one part only when asked."""
        prefix = PREFIXES[part] if part else ""
        return [p for name, m in self.modules.items() if name.startswith(prefix) for p in m.tensors.values()]

    def state(self) -> dict[str, Tensor]:
        """Copies in fp32 on the CPU under kohya keys, with alpha as a 0-dim tensor."""
        state: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            state[f"{name}.{ALPHA}"] = torch.tensor(float(module.alpha))
            for key, tensor in module.tensors.items():
                state[f"{name}.{key}"] = tensor.detach().float().cpu().clone()
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over tensors as `state` gave them. AdapterError if they do not fit; nothing changes then."""
        wanted = {f"{name}.{key}" for name, module in self.modules.items() for key in (ALPHA, *module.tensors)}
        if wanted != state.keys():
            odd = sorted(wanted ^ state.keys())
            raise AdapterError(f"The saved state and adapter {self.name} differ in {len(odd)} keys, such as {odd[0]}.")
        pairs = []
        for name, module in self.modules.items():
            alpha = float(state[f"{name}.{ALPHA}"])
            if not math.isclose(alpha, module.alpha, rel_tol=1e-6):
                raise AdapterError(f"{name}.{ALPHA} is {alpha}, the adapter has {module.alpha}.")
            pairs += [(tensor, f"{name}.{key}") for key, tensor in module.tensors.items()]
        for parameter, key in pairs:
            if parameter.shape != state[key].shape:
                raise AdapterError(f"{key} is {tuple(state[key].shape)}, the adapter has {tuple(parameter.shape)}.")
        with torch.no_grad():
            for parameter, key in pairs:
                parameter.copy_(state[key])

    def detach(self) -> None:
        """Take the adapter out. A layer without adapters becomes the plain layer of the base again.

        Once it is out, another call does nothing.
        """
        all_targets, key = targets(self.base, convolutions=True), slot(self.name)
        for name, module in self.modules.items():
            layer = self.base.wrapped.get(name)
            if layer is None or key not in layer.lora_A or layer.lora_A[key].weight is not module.down:
                continue
            active = [other for other in layer.active_adapters if other != key]
            layer._active_adapter = active  # first, or peft would pick and unfreeze another adapter
            layer.delete_adapter(key)
            if not layer.lora_A:
                target = all_targets[name]
                parent, _, child = target.path.rpartition(".")
                setattr(getattr(self.base, target.part).get_submodule(parent), child, layer.base_layer)
                del self.base.wrapped[name]


def slot(name: str) -> str:
    """The adapter's key in peft's layers: no dot in it, and not an attribute of every module ("training")."""
    return f"{name.replace('.', '_')}-adapter"


def targets(
    base: BaseModel, modules: str = "kohya", text_encoder: bool = True, convolutions: bool = False
) -> dict[str, Target]:
    """The layers to adapt, by kohya name, sorted.

    "kohya" is sd-scripts' set: every linear layer and 1x1 convolution inside the U-Net's Transformer2DModels
    (192 in SD 1.x; networks/lora.py). "attention" is only their to_q, to_k, to_v and to_out. With convolutions
    (LoCon), and whichever of these two sets, every linear layer and convolution of the ResnetBlock2Ds,
    Downsample2Ds and Upsample2Ds comes too (86 in SD 1.x). In the text encoder it is all four attention
    projections and both layers of the MLP (72 in SD 1.x): readers misread a file without out_proj.
    """
    if modules not in ("kohya", "attention"):
        raise AdapterError(f"There is no set of modules called {modules!r}. Use 'kohya' or 'attention'.")
    found: dict[str, Target] = {}
    inside = [
        (path, layer)
        for path, layer in _layers(base.unet, ("Transformer2DModel",))
        if modules == "kohya" or re.search(r"\.attn[12]\.to_(q|k|v|out\.0)$", path)
    ]
    for path, layer in (*inside, *(_layers(base.unet, CONVOLUTIONS) if convolutions else ())):
        found[PREFIXES["unet"] + path.replace(".", "_")] = Target("unet", path, layer)
    body = text_body(base.text_encoder)
    prefix = "" if body is base.text_encoder else "text_model."
    for path, module in body.named_modules() if text_encoder else ():
        if TEXT_TARGET.fullmatch(path):
            name = PREFIXES["text_encoder"] + path.replace(".", "_")
            found[name] = Target("text_encoder", prefix + path, _plain(module))
    return dict(sorted(found.items()))


def attach(
    base: BaseModel,
    name: str,
    *,
    dim: int,
    alpha: float,
    modules: str = "kohya",
    text_encoder: bool,
    generator: torch.Generator,
    conv_dim: int | None = None,
    conv_alpha: float | None = None,
    rslora: bool = False,
    dora: bool = False,
    dropout: float = 0.0,
    chance: torch.Generator | None = None,
) -> Adapter:
    """Add a trainable LoRA to the base; it takes part in forward passes only inside `use`.

    conv_dim and conv_alpha (LoCon; conv_alpha None = conv_dim) are for 3x3 convolutions; the 1x1 ones and linear
    layers of the same blocks get dim and alpha, as in sd-scripts' networks/lora.py. rslora scales by
    alpha / sqrt(dim) (Kalajdzievski 2023), which is kohya's scale for an alpha that is sqrt(dim) times as large:
    that one is saved. dora (see trainer/module.py) starts at the lengths of the base's own columns. dropout zeroes
    a share of lora_down's output inside `use(..., training=True)`, drawn from `chance` and from nowhere else.

    lora_down is drawn kaiming-uniform (a = sqrt 5) from `generator`, part by part in name order, lora_up is
    zero, in fp32: the start of sd-scripts, which leaves the base's output as it is.
    """
    conv_dim_ = dim if conv_dim is None else conv_dim
    conv_alpha_ = float(conv_dim_) if conv_alpha is None else conv_alpha
    for which, rank, strength in (("", dim, alpha), ("conv_", conv_dim_, conv_alpha_)):
        if rank < 1 or not strength > 0:
            raise AdapterError(f"{which}dim is {rank} and {which}alpha is {strength}; both must be above 0.")
    if not 0 <= dropout < 1 or (dropout and chance is None):
        raise AdapterError(f"dropout is {dropout}; it must be from 0 to below 1, and needs a generator of its own.")
    tensors = {}
    found = targets(base, modules, text_encoder, convolutions=conv_dim is not None)
    plain = targets(base, modules, text_encoder)
    # The U-Net first and LoCon's blocks last: what remains starts the same whether or not these learn too.
    for key, target in sorted(found.items(), key=lambda item: (item[0] not in plain, item[1].part != "unet")):
        out, width, *kernel = target.shape
        r, a = (dim, alpha) if math.prod(kernel) == 1 else (conv_dim_, conv_alpha_)
        down = torch.empty(r, width, *kernel, device=generator.device)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5), generator=generator)
        lengths = column_lengths(target.layer.weight.detach().float()) if dora else None
        up = torch.zeros(out, r, *(1 for _ in kernel))
        tensors[key] = Module(down, up, float(a * math.sqrt(r) if rslora else a), lengths)
    return _insert(base, name, tensors, trainable=True, dropout=dropout, chance=chance)


def attach_file(base: BaseModel, name: str, path: Path) -> Adapter:
    """Add the LoRA of a kohya file to the base, frozen. Raises KohyaError if it is broken or does not fit."""
    from trainer.kohya import checked, read  # kohya writes adapters, so it imports this module

    file = checked(base, read(path), path)
    return _insert(base, name, file.modules, trainable=False)


@contextmanager
def use(base: BaseModel, adapter: Adapter | None, strength: float = 1.0, training: bool = False) -> Iterator[None]:
    """Let one adapter (None: none at all) take part in forward passes, at a strength; then as before.

    Only the choice of adapter and its scale change: no weight, no requires_grad, whoever trains meanwhile.
    Strength 0 is the plain base. Dropout happens only with training: proofs, previews and measured losses leave
    it out, and draw nothing from its generator.
    """
    key = slot(adapter.name) if adapter is not None and strength != 0 else None
    before = [(layer, layer._active_adapter, layer.scaling.get(key)) for layer in base.wrapped.values()]
    outer = (adapter.strength, adapter.training) if adapter is not None else None
    try:
        if adapter is not None:
            adapter.strength, adapter.training = strength, training
        for layer, _, scale in before:
            layer._active_adapter = [key] if key else []  # peft's set_adapter flips requires_grad of others
            if scale is not None:
                layer.set_scale(key, strength)
        yield
    finally:
        if adapter is not None and outer is not None:
            adapter.strength, adapter.training = outer
        for layer, active, scale in before:
            layer._active_adapter = active
            if scale is not None:
                layer.scaling[key] = scale


@contextmanager
def swapped(base: BaseModel, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """The plain base with other weights in some layers (kohya name -> weight); then the very same again."""
    found = targets(base, convolutions=True)
    layers = [(found[key].layer, weight) for key, weight in weights.items()]
    originals = [layer.weight for layer, _ in layers]
    with use(base, None):
        try:
            for layer, weight in layers:
                layer.weight = nn.Parameter(weight, requires_grad=False)
            yield
        finally:
            for (layer, _), original in zip(layers, originals, strict=True):
                layer.weight = original


def _layers(unet: nn.Module, blocks: tuple[str, ...]) -> Iterator[tuple[str, nn.Module]]:
    """Linear layers and convolutions inside blocks of these classes, peft's wrappers seen through."""
    for outer, block in unet.named_modules():
        if type(block).__name__ not in blocks:
            continue
        for inner, module in block.named_modules():
            if ".base_layer" in inner or ".lora_" in inner:
                continue
            layer = _plain(module)
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                yield f"{outer}.{inner}", layer


def _plain(module: nn.Module) -> nn.Module:
    return module.get_base_layer() if isinstance(module, BaseTunerLayer) else module


def _insert(
    base: BaseModel,
    name: str,
    modules: Mapping[str, Module],
    trainable: bool,
    dropout: float = 0.0,
    chance: torch.Generator | None = None,
) -> Adapter:
    """Have peft wrap the layers, then put our tensors in; whichever adapter was active stays so."""
    peft_key = slot(name)
    if any(peft_key in layer.lora_A for layer in base.wrapped.values()):
        raise AdapterError(f"This base already has an adapter called {name!r}. Detach it or use another name.")
    found = targets(base, convolutions=True)
    before = {key: layer._active_adapter for key, layer in base.wrapped.items()}
    for part in PREFIXES:
        chosen = {found[key].path: module for key, module in modules.items() if found[key].part == part}
        if chosen:
            _inject(getattr(base, part), peft_key, chosen)
    adapter = Adapter(base, name, {}, dropout, chance)
    for key in sorted(modules):
        layer: Any = getattr(base, found[key].part).get_submodule(found[key].path)
        device = found[key].layer.weight.device
        learned = [
            nn.Parameter(t.to(device, torch.float32), requires_grad=trainable) for t in modules[key].tensors.values()
        ]
        module = Module(learned[0], learned[1], modules[key].alpha, *learned[2:])
        layer.lora_A[peft_key].weight, layer.lora_B[peft_key].weight = learned[:2]
        if dropout or module.dora_scale is not None:
            layer.lora_variant[peft_key] = Forward(adapter, module)  # peft then calls it in place of its own sum
        layer._active_adapter = before.get(key, [])
        base.wrapped[key] = layer
        adapter.modules[key] = module
    for key, active in before.items():
        base.wrapped[key]._active_adapter = active
    return adapter


def _inject(model: nn.Module, peft_key: str, chosen: Mapping[str, Module]) -> None:
    dims = {path: module.dim for path, module in chosen.items()}
    alphas = {path: module.alpha for path, module in chosen.items()}
    dim, alpha = next(iter(dims.values())), next(iter(alphas.values()))
    config = LoraConfig(
        r=dim,
        lora_alpha=alpha,  # type: ignore[arg-type]  # peft only divides by it: fractions are fine
        target_modules=list(chosen),
        rank_pattern={f"^{re.escape(path)}": d for path, d in dims.items() if d != dim},
        alpha_pattern={f"^{re.escape(path)}": a for path, a in alphas.items() if a != alpha},
    )
    # empty weights: peft would draw them from the global random stream
    inject_adapter_in_model(config, model, peft_key, low_cpu_mem_usage=True)
    del model.peft_config  # a note that peft leaves: it outlives the adapter and makes a second one warn
