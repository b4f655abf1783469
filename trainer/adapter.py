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

Part = Literal["unet", "text_encoder"]
PREFIXES: dict[Part, str] = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}
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
        """(out, in) for a linear layer, (out, in, 1, 1) for a 1x1 convolution."""
        return tuple(self.layer.weight.shape)


@dataclass(frozen=True)
class Module:
    """One adapted layer: adds alpha/dim x up @ down. down (dim, in[, 1, 1]), up (out, dim[, 1, 1])."""

    down: nn.Parameter
    up: nn.Parameter
    alpha: float
    dim: int


@dataclass(eq=False)
class Adapter:
    """A LoRA that lives in a base model, its modules sorted by kohya name."""

    base: BaseModel = field(repr=False)
    name: str
    dim: int
    alpha: float
    modules: dict[str, Module] = field(repr=False)

    def parameters(self, part: Part | None = None) -> list[nn.Parameter]:
        """down, up of each module in name order; of one part only when asked."""
        prefix = PREFIXES[part] if part else ""
        return [p for name, m in self.modules.items() if name.startswith(prefix) for p in (m.down, m.up)]

    def state(self) -> dict[str, Tensor]:
        """Copies in fp32 on the CPU under kohya keys, with alpha as a 0-dim tensor."""
        state: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            state[f"{name}.alpha"] = torch.tensor(float(module.alpha))
            state[f"{name}.lora_down.weight"] = module.down.detach().float().cpu().clone()
            state[f"{name}.lora_up.weight"] = module.up.detach().float().cpu().clone()
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over tensors as `state` gave them. AdapterError if they do not fit; nothing changes then."""
        wanted = {f"{name}.{key}" for name in self.modules for key in ("alpha", "lora_down.weight", "lora_up.weight")}
        if wanted != state.keys():
            odd = sorted(wanted ^ state.keys())
            raise AdapterError(f"The saved state and adapter {self.name} differ in {len(odd)} keys, such as {odd[0]}.")
        pairs = []
        for name, module in self.modules.items():
            if not math.isclose(float(state[f"{name}.alpha"]), module.alpha, rel_tol=1e-6):
                raise AdapterError(f"{name}.alpha is {float(state[f'{name}.alpha'])}, the adapter has {module.alpha}.")
            pairs += [(module.down, f"{name}.lora_down.weight"), (module.up, f"{name}.lora_up.weight")]
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
        all_targets, key = targets(self.base), slot(self.name)
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


def targets(base: BaseModel, modules: str = "kohya", text_encoder: bool = True) -> dict[str, Target]:
    """The layers to adapt, by kohya name, sorted.

    "kohya" is sd-scripts' set: every linear layer and 1x1 convolution inside the U-Net's Transformer2DModels
    (192 in SD 1.x; networks/lora.py). "attention" is only their to_q, to_k, to_v and to_out. In the text
    encoder it is all four attention projections and both layers of the MLP (72 in SD 1.x): readers misread a
    file without out_proj.
    """
    if modules not in ("kohya", "attention"):
        raise AdapterError(f"There is no set of modules called {modules!r}. Use 'kohya' or 'attention'.")
    found: dict[str, Target] = {}
    for path, layer in _transformer_layers(base.unet):
        if modules == "kohya" or re.search(r"\.attn[12]\.to_(q|k|v|out\.0)$", path):
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
) -> Adapter:
    """Add a trainable LoRA to the base; it takes part in forward passes only inside `use`.

    lora_down is drawn kaiming-uniform (a = sqrt 5) from `generator`, part by part in name order, lora_up is
    zero, in fp32: the start of sd-scripts, which leaves the base's output as it is.
    """
    if dim < 1 or not alpha > 0:
        raise AdapterError(f"dim is {dim} and alpha is {alpha}; both must be above 0.")
    tensors = {}
    found = targets(base, modules, text_encoder)
    # the U-Net first: it then starts the same whether or not the text encoder learns too
    for key, target in sorted(found.items(), key=lambda item: item[1].part != "unet"):
        out, width, *kernel = target.shape
        down = torch.empty(dim, width, *kernel, device=generator.device)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5), generator=generator)
        tensors[key] = (down, torch.zeros(out, dim, *kernel), float(alpha))
    return _insert(base, name, tensors, trainable=True)


def attach_file(base: BaseModel, name: str, path: Path) -> Adapter:
    """Add the LoRA of a kohya file to the base, frozen. Raises KohyaError if it is broken or does not fit."""
    from trainer.kohya import checked, read  # kohya writes adapters, so it imports this module

    file = checked(base, read(path), path)
    tensors = {key: (m.down.float(), m.up.float(), m.alpha) for key, m in file.modules.items()}
    return _insert(base, name, tensors, trainable=False)


@contextmanager
def use(base: BaseModel, adapter: Adapter | None, strength: float = 1.0) -> Iterator[None]:
    """Let one adapter (None: none at all) take part in forward passes, at a strength; then as before.

    Only the choice of adapter and its scale change: no weight, no requires_grad, whoever trains meanwhile.
    Strength 0 is the plain base.
    """
    key = slot(adapter.name) if adapter is not None and strength != 0 else None
    before = [(layer, layer._active_adapter, layer.scaling.get(key)) for layer in base.wrapped.values()]
    try:
        for layer, _, scale in before:
            layer._active_adapter = [key] if key else []  # peft's set_adapter flips requires_grad of others
            if scale is not None:
                layer.set_scale(key, strength)
        yield
    finally:
        for layer, active, scale in before:
            layer._active_adapter = active
            if scale is not None:
                layer.scaling[key] = scale


@contextmanager
def swapped(base: BaseModel, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """The plain base with other weights in some layers (kohya name -> weight); then the very same again."""
    found = targets(base)
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


def _transformer_layers(unet: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Linear layers and 1x1 convolutions inside each Transformer2DModel, peft's wrappers seen through."""
    for outer, transformer in unet.named_modules():
        if type(transformer).__name__ != "Transformer2DModel":
            continue
        for inner, module in transformer.named_modules():
            if ".base_layer" in inner or ".lora_" in inner:
                continue
            layer = _plain(module)
            if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)):
                yield f"{outer}.{inner}", layer


def _plain(module: nn.Module) -> nn.Module:
    return module.get_base_layer() if isinstance(module, BaseTunerLayer) else module


def _insert(
    base: BaseModel, name: str, tensors: Mapping[str, tuple[Tensor, Tensor, float]], trainable: bool
) -> Adapter:
    """Have peft wrap the layers, then put our tensors in; whichever adapter was active stays so."""
    peft_key = slot(name)
    if any(peft_key in layer.lora_A for layer in base.wrapped.values()):
        raise AdapterError(f"This base already has an adapter called {name!r}. Detach it or use another name.")
    found = targets(base)
    before = {key: layer._active_adapter for key, layer in base.wrapped.items()}
    for part in PREFIXES:
        chosen = {found[key].path: values for key, values in tensors.items() if found[key].part == part}
        if chosen:
            _inject(getattr(base, part), peft_key, chosen)
    modules = {}
    for key in sorted(tensors):
        layer: Any = getattr(base, found[key].part).get_submodule(found[key].path)
        device = found[key].layer.weight.device
        down, up = (nn.Parameter(t.to(device), requires_grad=trainable) for t in tensors[key][:2])
        layer.lora_A[peft_key].weight, layer.lora_B[peft_key].weight = down, up
        layer._active_adapter = before.get(key, [])
        base.wrapped[key] = layer
        modules[key] = Module(down, up, alpha=tensors[key][2], dim=down.shape[0])
    for key, active in before.items():
        base.wrapped[key]._active_adapter = active
    first = next(iter(modules.values()))
    return Adapter(base, name, first.dim, first.alpha, modules)


def _inject(model: nn.Module, peft_key: str, chosen: Mapping[str, tuple[Tensor, Tensor, float]]) -> None:
    dims = {path: down.shape[0] for path, (down, _, _) in chosen.items()}
    alphas = {path: alpha for path, (_, _, alpha) in chosen.items()}
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
