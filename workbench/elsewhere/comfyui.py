"""The graph that ComfyUI writes into a picture as JSON: followed from the saved picture back to seed, prompt, LoRAs."""

import json
import math
from typing import Any

from workbench.elsewhere.infotext import Drawn, Lora, TextProblem, loras_in, strength, without_loras
from workbench.elsewhere.names import LARGEST_SEED

LONGEST = 4_000_000  # characters of JSON
DEEPEST = 200  # nodes in a row
OUTPUTS = ("SaveImage", "PreviewImage")
MODEL_INPUTS = ("ckpt_name", "unet_name", "model_name")

Node = dict[str, Any]


def parse_comfyui(text: str) -> Drawn:
    """Read the chunk ``prompt`` of a PNG (ComfyUI, nodes.py SaveImage: the graph in the form of its interface).

    Raises TextProblem, naming chunk, node and input, for what is no such graph and for numbers that can't be.
    """
    graph = _graph(text)
    sampler_id = _sampler(graph)
    inputs = graph[sampler_id]["inputs"]
    seed_key = "noise_seed" if "noise_seed" in inputs else "seed"
    loras, model = _model_side(graph, inputs.get("model"))
    prompt = _text(graph, inputs.get("positive"))
    width_height = _latent(graph, inputs.get("latent_image"))
    return Drawn(
        prompt=without_loras(prompt),
        written=prompt,
        loras=(*loras, *loras_in(prompt)),
        negative=_text(graph, inputs.get("negative")),
        seed=_whole(graph, sampler_id, seed_key, LARGEST_SEED),
        steps=_whole(graph, sampler_id, "steps", 100_000),
        cfg=_cfg(graph, sampler_id),
        sampler=str(inputs.get("sampler_name") or "")[:80],
        model=model,
        clip_skip=None,
        size_px=width_height,
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


def _sampler(graph: dict[str, Node]) -> str:
    """The sampler whose picture was saved: the nearest before an output, else the only one."""
    for key, node in graph.items():
        if node.get("class_type") in OUTPUTS:
            found = _nearest(graph, key)
            if found:
                return found
    samplers = [key for key, node in graph.items() if _is_sampler(node)]
    if len(samplers) != 1:
        raise TextProblem(f"has {len(samplers)} samplers in 'prompt', so it can't be told how it was drawn.")
    return samplers[0]


def _nearest(graph: dict[str, Node], start: str) -> str | None:
    """The sampler with the fewest links between it and a node."""
    level, seen = [start], {start}
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
    return "positive" in inputs and ("seed" in inputs or "noise_seed" in inputs)


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


def _text(graph: dict[str, Node], value: Any) -> str:
    """The prompt behind a conditioning: the first text on the way back."""
    for _ in range(DEEPEST):
        linked = _link(graph, value)
        if linked is None:
            return value if isinstance(value, str) else ""
        inputs = graph[linked]["inputs"]
        for name in ("text", "text_g", "string", "value", "prompt"):
            if name in inputs:
                found = _value(graph, inputs[name], ("text", "string", "value", "prompt"))
                return found if isinstance(found, str) else ""
        value = next((inputs[name] for name in ("conditioning", "conditioning_1", "positive") if name in inputs), None)
    return ""


def _model_side(graph: dict[str, Node], value: Any) -> tuple[list[Lora], str]:
    """LoRAs between the sampler and its checkpoint, in the order in which they are applied, and the checkpoint."""
    loras: list[Lora] = []
    for _ in range(DEEPEST):
        linked = _link(graph, value)
        if linked is None:
            return loras[::-1], ""
        inputs = graph[linked]["inputs"]
        name = _value(graph, inputs.get("lora_name"), ("value", "string", "text"))
        if isinstance(name, str):
            written = _value(graph, inputs.get("strength_model", 1.0), ("value", "float"))
            loras.append(Lora(name, strength(str(written), f"strength_model {written} in node {linked[:30]}")))
        found = next((inputs[key] for key in MODEL_INPUTS if isinstance(inputs.get(key), str)), None)
        if found is not None:
            return loras[::-1], found.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
        value = inputs.get("model")
    raise TextProblem("has nodes in 'prompt' that lead in a circle.")


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


def _whole(graph: dict[str, Node], node: str, key: str, largest: int) -> int | None:
    value = _value(graph, graph[node]["inputs"].get(key), (key, "seed", "value", "int"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise TextProblem(f"says {key} {str(value)[:30]} in node {node[:30]}: no whole number from 0 to {largest}.")
    return value


def _cfg(graph: dict[str, Node], node: str) -> float | None:
    value = _value(graph, graph[node]["inputs"].get("cfg"), ("cfg", "value", "float"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1000:
        raise TextProblem(f"says cfg {str(value)[:30]} in node {node[:30]}: that can't be.")
    return float(value)
