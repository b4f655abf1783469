"""The graph that ComfyUI writes into a picture as JSON: followed from the saved picture back to seed, prompt, LoRAs."""

import json
import math
from typing import Any

from workbench.elsewhere.names import LARGEST_SEED
from workbench.elsewhere.pictures.infotext import Drawn, Lora, TextProblem, loras_in, strength, without_loras

LONGEST = 4_000_000  # characters of JSON
DEEPEST = 200  # nodes in a row
MODEL_INPUTS = ("ckpt_name", "unet_name", "model_name")
# SamplerCustomAdvanced has its parts in nodes of their own (ComfyUI, comfy_extras/nodes_custom_sampler.py)
PARTS = ("guider", "noise", "sampler", "sigmas")
LATENTS = ("latent_image", "samples", "pixels", "image", "images")  # from a sampler back to the one before it
TEXTS = ("populated_text", "text", "text_g", "string", "value", "prompt")
# two conditionings as one: ConditioningCombine and ConditioningConcat (ComfyUI, nodes.py)
JOINED = (("conditioning_1", "conditioning_2"), ("conditioning_to", "conditioning_from"))

Node = dict[str, Any]


def parse_comfyui(text: str) -> Drawn:
    """Read the chunk ``prompt`` of a PNG (ComfyUI, nodes.py SaveImage: the graph in the form of its interface).

    Where samplers follow each other (hires fix, detailers), the first one's seed and settings count, for it draws the
    picture that the others refine; the LoRAs are those of all of them. Raises TextProblem, naming chunk, node and
    input, for what is no such graph and for numbers that can't be.
    """
    graph = _graph(text)
    samplers = _samplers(graph)
    first = samplers[-1]
    inputs = _inputs(graph, first)
    seed_key = "noise_seed" if "noise_seed" in inputs else "seed"
    loras: dict[str, Lora] = {}
    model = ""
    for sampler in reversed(samplers):
        found, model_there = _model_side(graph, _inputs(graph, sampler).get("model"))
        model = model or model_there
        for lora in found:
            loras.setdefault(lora.name, lora)
    prompt = _text(graph, inputs.get("positive", inputs.get("conditioning")))
    return Drawn(
        prompt=without_loras(prompt),
        written=prompt,
        loras=(*loras.values(), *(lora for lora in loras_in(prompt) if lora.name not in loras)),
        negative=_text(graph, inputs.get("negative"), output=1),
        seed=_whole(graph, first, inputs, seed_key, LARGEST_SEED),
        steps=_whole(graph, first, inputs, "steps", 100_000),
        cfg=_cfg(graph, first, inputs),
        sampler=str(inputs.get("sampler_name") or "")[:80],
        model=model,
        clip_skip=None,
        size_px=_latent(graph, inputs.get("latent_image")),
    )


def _graph(text: str) -> dict[str, Node]:
    if len(text) > LONGEST:
        raise TextProblem(f"has a graph of {len(text)} characters in 'prompt': {LONGEST} are the most.")
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        raise TextProblem("has a chunk 'prompt' that is no JSON: it was cut short or changed.") from None
    if not isinstance(graph, dict) or not graph:
        raise TextProblem("has a chunk 'prompt' that is no graph of ComfyUI.")
    for key, node in graph.items():
        if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
            raise TextProblem(f"has a node '{key[:30]}' without inputs in 'prompt'.")
    return graph


# the samplers


def _samplers(graph: dict[str, Node]) -> list[str]:
    """The samplers behind the saved picture, the last one first."""
    found = [each for each in (_nearest(graph, [start]) for start in _outputs(graph)) if each]
    alone = [key for key in graph if _is_sampler(graph[key])]
    if not found and len(alone) != 1:
        raise TextProblem(f"has {len(alone)} samplers in 'prompt', so it can't be told how it was drawn.")
    samplers = found[:1] or alone
    while len(samplers) < DEEPEST:
        inputs = graph[samplers[-1]]["inputs"]
        links = [linked for name in LATENTS if (linked := _link(graph, inputs.get(name)))]
        before = _nearest(graph, links, seen=set(samplers))
        if before is None:
            return samplers
        samplers.append(before)
    return samplers


def _outputs(graph: dict[str, Node]) -> list[str]:
    """Nodes that save pictures: ComfyUI's own, then those of other authors (nothing follows them), then previews."""
    linked = {link for node in graph.values() for value in node["inputs"].values() if (link := _link(graph, value))}

    def rank(key: str) -> int | None:
        kind = str(graph[key].get("class_type"))
        if kind == "SaveImage":
            return 0
        if kind == "PreviewImage":
            return 2
        return 1 if key not in linked and {"images", "image"} & graph[key]["inputs"].keys() else None

    return sorted((key for key in graph if rank(key) is not None), key=lambda key: rank(key) or 0)


def _nearest(graph: dict[str, Node], starts: list[str], seen: set[str] | None = None) -> str | None:
    """The sampler with the fewest links between it and one of some nodes; ``seen``: nodes that are passed over."""
    seen = seen or set()
    level = [key for key in starts if key not in seen]
    seen |= set(level)
    for _ in range(DEEPEST):
        following = []
        for key in level:
            if _is_sampler(graph[key]):
                return key
            for value in graph[key]["inputs"].values():
                linked = _link(graph, value)
                if linked and linked not in seen:
                    seen.add(linked)
                    following.append(linked)
        level = following
    return None


def _is_sampler(node: Node) -> bool:
    inputs = node["inputs"]
    return {"guider", "noise"} <= inputs.keys() or ("positive" in inputs and bool({"seed", "noise_seed"} & {*inputs}))


def _inputs(graph: dict[str, Node], sampler: str) -> dict[str, Any]:
    """What a sampler is given, with the inputs of the nodes that are its parts."""
    own = graph[sampler]["inputs"]
    parts = [graph[linked]["inputs"] for name in PARTS if (linked := _link(graph, own.get(name)))]
    return {key: value for inputs in (*parts, own) for key, value in inputs.items()}


# links and values


def _link(graph: dict[str, Node], value: Any) -> str | None:
    """The node that an input is linked to ([id, output]); None for a plain value or a link to nowhere."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) and str(value[0]) in graph:
        return str(value[0])
    return None


def _value(graph: dict[str, Node], value: Any, names: tuple[str, ...]) -> Any:
    """A plain value, looked up through nodes that only hold one (primitives, seed and text nodes)."""
    for _ in range(DEEPEST):
        linked = _link(graph, value)
        if linked is None:
            return None if isinstance(value, list | dict) else value
        inputs = graph[linked]["inputs"]
        value = next((inputs[name] for name in names if name in inputs), None)
    return None


def _text(graph: dict[str, Node], value: Any, output: int = 0, depth: int = 0) -> str:
    """The prompt behind a conditioning; two that are joined are read as A1111 writes them, with AND between.

    ``output``: 1 for the negative side of nodes that pass on both (ControlNetApplyAdvanced).
    """
    while depth < DEEPEST:
        depth += 1
        linked = _link(graph, value)
        if linked is None:
            return value if isinstance(value, str) else ""
        inputs = graph[linked]["inputs"]
        for pair in JOINED:
            if set(pair) <= inputs.keys():
                return " AND ".join(text for name in pair if (text := _text(graph, inputs[name], output, depth)))
        if "string_a" in inputs and "string_b" in inputs:  # StringConcatenate
            parts = [_text(graph, inputs[name], output, depth) for name in ("string_a", "string_b")]
            return str(inputs.get("delimiter", "")).join(parts)
        if {"positive", "negative"} <= inputs.keys():
            value = inputs["negative" if output == 1 else "positive"]
            continue
        name = next((name for name in (*TEXTS, "conditioning", "positive") if name in inputs), None)
        value = inputs[name] if name else None
    return ""


def _model_side(graph: dict[str, Node], value: Any) -> tuple[list[Lora], str]:
    """LoRAs between the sampler and its checkpoint, in the order in which they are applied, and the checkpoint."""
    loras: list[Lora] = []
    for _ in range(DEEPEST):
        linked = _link(graph, value)
        if linked is None:
            return loras[::-1], ""
        inputs = graph[linked]["inputs"]
        loras += _loras_of(graph, linked)[::-1]
        found = next((inputs[key] for key in MODEL_INPUTS if isinstance(inputs.get(key), str)), None)
        if found is not None:
            return loras[::-1], found.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
        value = inputs.get("model", inputs.get("model1"))
    raise TextProblem("has nodes in 'prompt' that lead in a circle.")


def _loras_of(graph: dict[str, Node], key: str) -> list[Lora]:
    """The LoRAs of one node: LoraLoader and LoraLoaderModelOnly, or the rows of rgthree's Power Lora Loader.

    TextProblem for a node that loads LoRAs in another way: a picture must not pass for one of the base model.
    """
    inputs = graph[key]["inputs"]
    name = _value(graph, inputs.get("lora_name"), ("value", "string", "text"))
    if isinstance(name, str):
        if name == "None":  # how several authors' nodes say that none is loaded
            return []
        written = _value(graph, inputs.get("strength_model", 1.0), ("value", "float"))
        return [Lora(name, strength(str(written), f"strength_model {written} in node {key[:30]}"))]
    rows = [row for row in inputs.values() if isinstance(row, dict) and isinstance(row.get("lora"), str)]
    kind = str(graph[key].get("class_type"))
    if "lora_stack" in inputs or ("lora" in kind.lower() and not rows and not kind.startswith("Power Lora Loader")):
        raise TextProblem(f"has LoRAs in node {key[:30]} ({kind[:60]!r} in 'prompt'), which can't be read here.")
    return [
        Lora(row["lora"], strength(str(row.get("strength", 1.0)), f"strength {row.get('strength')} in node {key[:30]}"))
        for row in rows
        if row.get("on") is True
    ]


def _latent(graph: dict[str, Node], value: Any) -> tuple[int, int] | None:
    for _ in range(DEEPEST):
        linked = _link(graph, value)
        if linked is None:
            return None
        inputs = graph[linked]["inputs"]
        width, height = inputs.get("width"), inputs.get("height")
        if isinstance(width, int) and isinstance(height, int):
            return (width, height) if 0 < width <= 65536 and 0 < height <= 65536 else None
        value = inputs.get("samples") or inputs.get("latent_image")
    return None


def _whole(graph: dict[str, Node], node: str, inputs: dict[str, Any], key: str, largest: int) -> int | None:
    value = _value(graph, inputs.get(key), (key, "seed", "value", "int"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise TextProblem(f"says {key} {str(value)[:30]} in node {node[:30]}: no whole number from 0 to {largest}.")
    return value


def _cfg(graph: dict[str, Node], node: str, inputs: dict[str, Any]) -> float | None:
    value = _value(graph, inputs.get("cfg"), ("cfg", "value", "float"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1000:
        raise TextProblem(f"says cfg {str(value)[:30]} in node {node[:30]}: that can't be.")
    return float(value)
