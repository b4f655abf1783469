"""LoRA files as bytes, whole and damaged in every way that somebody thought of: for tests of what reads them."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parent / "data" / "loras"
Q = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
K = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
TE = "lora_te_text_model_encoder_layers_0_mlp_fc1"
WIDTH = 128  # of the miniature's layers that are used here
Header = dict[str, Any]


def tensors(rank: int = 2, width: int = WIDTH) -> dict[str, np.ndarray]:
    """Two layers of the miniature in kohya's names."""
    named = {}
    for name in (Q, K):
        named[f"{name}.lora_down.weight"] = np.full((rank, width), 0.01, "<f2")
        named[f"{name}.lora_up.weight"] = np.full((WIDTH, rank), 0.01, "<f2")
        named[f"{name}.alpha"] = np.array(1.0, "<f2")
    return named


def header_of(named: dict[str, np.ndarray]) -> tuple[Header, bytes]:
    header: Header = {}
    place = 0
    for key, tensor in named.items():
        kind = {"<f2": "F16", "<f4": "F32", "<f8": "F64", "<i4": "I32", "|u1": "U8"}[tensor.dtype.str]
        header[key] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [place, place + tensor.nbytes]}
        place += tensor.nbytes
    return header, b"".join(tensor.tobytes() for tensor in named.values())


def joined(header: Any, body: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def packed(named: dict[str, np.ndarray], metadata: Any = None) -> bytes:
    header, body = header_of(named)
    return joined({**({} if metadata is None else {"__metadata__": metadata}), **header}, body)


def with_header(change: Callable[[Header], Any]) -> bytes:
    header, body = header_of(tensors())
    change(header)
    return joined(header, body)


def with_entry(**changes: Any) -> bytes:
    """One tensor's entry in the header changed; None takes a part away."""

    def change(header: Header) -> None:
        entry = header[f"{Q}.lora_down.weight"]
        entry.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del entry[name]

    return with_header(change)


def with_tensor(key: str, tensor: np.ndarray | None) -> bytes:
    named = tensors()
    if tensor is None:
        del named[key]
    else:
        named[key] = tensor
    return packed(named)


def with_value(key: str, value: float, dtype: str = "<f2") -> bytes:
    named = {name: tensor.astype(dtype) for name, tensor in tensors().items()}
    named[key] = named[key].copy()
    named[key].flat[-1] = value
    return packed(named)


def bf16_nan() -> bytes:
    header, body = header_of(tensors())
    for entry in header.values():
        entry["dtype"] = "BF16"
    return joined(header, body[:-2] + (0x7FC0).to_bytes(2, "little"))


def renamed(old: str, new: str) -> bytes:
    return packed({key.replace(old, new): tensor for key, tensor in tensors().items()})


def deep(opening: str, depth: int = 100_000) -> bytes:
    return joined(f'{{"__metadata__": {opening * depth}'.encode(), b"")


WHOLE = packed(tensors())
DOWN, UP, ALPHA = f"{Q}.lora_down.weight", f"{Q}.lora_up.weight", f"{Q}.alpha"
NAME = "bad.safetensors"
PEFT = "base_model.model.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def halves(path: str, dot: str = ".lora_A.weight", up: str = ".lora_B.weight", width: int = WIDTH) -> dict[str, Any]:
    return {f"{path}{dot}": np.ones((2, width), "<f2"), f"{path}{up}": np.ones((WIDTH, 2), "<f2")}


# what it is -> file name, bytes, what the error says besides the file's name; made when a test asks for it
Bad = tuple[str, Callable[[], bytes], str]
BAD: dict[str, Bad] = {
    # no such file format
    "empty": (NAME, lambda: b"", "empty"),
    "one byte": (NAME, lambda: b"\x08", "no safetensors file"),
    "seven bytes": (NAME, lambda: b"\x08" * 7, "no safetensors file"),
    "only a length": (NAME, lambda: WHOLE[:8], "cut short"),
    "header length 0": (NAME, lambda: joined(b"", b"", 0), "no safetensors file"),
    "header length 1": (NAME, lambda: joined(b"{", b"", 1), "no safetensors file"),
    "header longer than the file": (NAME, lambda: joined(b"{}", b"", 100), "cut short"),
    "header length 2^64 - 1": (NAME, lambda: joined(b"{}", b"", 2**64 - 1), "cut short"),
    "header length 2^63": (NAME, lambda: joined(b"{}", b"", 2**63), "cut short"),
    "header of 17 MB": (NAME, lambda: joined(b" " * (17 << 20), b""), "17,825,792 bytes"),
    "all zeros": (NAME, lambda: b"\x00" * 4096, "no safetensors file"),
    "all 0xff": (NAME, lambda: b"\xff" * 4096, "no safetensors file"),
    "text": (NAME, lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "no safetensors file"),
    "a web page": (NAME, lambda: b"<!DOCTYPE html><html><body>Not found</body></html>", "no safetensors file"),
    "a png": (NAME, lambda: b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "no safetensors file"),
    "wrong suffix": ("bad.txt", lambda: WHOLE, "no safetensors file"),
    # pickles
    "zip of torch": (NAME, lambda: b"PK\x03\x04" + b"\x00" * 100, "pickle"),
    "pickle protocol 2": (NAME, lambda: pickle.dumps({"a": 1}, 2), "pickle"),
    "pickle protocol 3": (NAME, lambda: pickle.dumps({"a": 1}, 3), "pickle"),
    "pickle protocol 4": (NAME, lambda: pickle.dumps({"a": 1}, 4), "pickle"),
    "pickle protocol 5": (NAME, lambda: pickle.dumps({"a": 1}, 5), "pickle"),
    "pt": ("bad.pt", lambda: WHOLE, "convert"),
    "ckpt": ("bad.ckpt", lambda: WHOLE, "convert"),
    "bin": ("bad.bin", lambda: WHOLE, "convert"),
    "pth": ("bad.PTH", lambda: WHOLE, "convert"),
    # the header's JSON
    "no JSON": (NAME, lambda: joined(b"{nonsense", b"" * 100), "header can't be read"),
    "half a JSON": (NAME, lambda: joined(json.dumps(header_of(tensors())[0]).encode()[:-20], b""), "can't be read"),
    "a list": (NAME, lambda: joined([], b""), "no JSON object"),
    "a number": (NAME, lambda: joined(b"12", b""), "no JSON object"),
    "a text": (NAME, lambda: joined(b'"text"', b""), "no JSON object"),
    "null": (NAME, lambda: joined(b"null", b""), "no JSON object"),
    "not UTF-8": (NAME, lambda: joined(b'{"\xff\xfe": 1}', b""), "can't be read"),
    "UTF-16": (NAME, lambda: joined(json.dumps({"a": 1}).encode("utf-16"), b""), "can't be read"),
    "lists 100,000 deep": (NAME, lambda: deep("["), "can't be read"),
    "objects 100,000 deep": (NAME, lambda: deep('{"a":'), "can't be read"),
    "a number of 5,000 digits": (NAME, lambda: joined(b'{"a": ' + b"9" * 5000 + b"}", b""), "can't be read"),
    "a key twice": (NAME, lambda: joined(b'{"a.alpha": 1, "a.alpha": 2}', b""), "a.alpha stands twice"),
    "no tensors": (NAME, lambda: joined({}, b""), "no tensors"),
    "metadata alone": (NAME, lambda: joined({"__metadata__": {"ss_seed": "1"}}, b""), "no tensors"),
    "metadata is a list": (NAME, lambda: packed(tensors(), []), "__metadata__ is no JSON object"),
    "metadata is a text": (NAME, lambda: packed(tensors(), "x"), "__metadata__ is no JSON object"),
    "a number in the metadata": (NAME, lambda: packed(tensors(), {"ss_seed": 1}), "ss_seed as int"),
    "an object in the metadata": (NAME, lambda: packed(tensors(), {"ss_datasets": {}}), "ss_datasets as dict"),
    "null in the metadata": (NAME, lambda: packed(tensors(), {"ss_vae": None}), "ss_vae as NoneType"),
    "5,000 entries": (NAME, lambda: packed(tensors(), {f"k{n}": "" for n in range(5000)}), "5,000 entries"),
    "20,000 tensors": (
        NAME,
        lambda: packed({f"{Q}{n}.alpha": np.array(1.0, "<f2") for n in range(20_000)}),
        "20,000 tensors",
    ),
    # one entry
    "entry is a list": (NAME, lambda: with_header(lambda h: h.update({DOWN: []})), f"{DOWN} has no dtype"),
    "entry is null": (NAME, lambda: with_header(lambda h: h.update({DOWN: None})), f"{DOWN} has no dtype"),
    "no dtype": (NAME, lambda: with_entry(dtype=None), f"{DOWN} has no dtype"),
    "no shape": (NAME, lambda: with_entry(shape=None), f"{DOWN} has no dtype"),
    "no offsets": (NAME, lambda: with_entry(data_offsets=None), f"{DOWN} has no dtype"),
    "dtype unknown": (NAME, lambda: with_entry(dtype="F12"), f"{DOWN}: its dtype is unknown"),
    "dtype is a number": (NAME, lambda: with_entry(dtype=16), f"{DOWN}: its dtype is unknown"),
    "dtype is a list": (NAME, lambda: with_entry(dtype=["F16"]), f"{DOWN}: its dtype is unknown"),
    "dtype fp8": (NAME, lambda: with_entry(dtype="F8_E4M3"), f"{DOWN}: its dtype is F8_E4M3"),
    "dtype int": (NAME, lambda: with_entry(dtype="I32"), f"{DOWN}: its dtype is I32"),
    "dtype bool": (NAME, lambda: with_entry(dtype="BOOL"), f"{DOWN}: its dtype is BOOL"),
    "dtype of twice the size": (NAME, lambda: with_entry(dtype="F32"), f"{DOWN} takes 512 bytes"),
    "shape is a text": (NAME, lambda: with_entry(shape="2x128"), f"{DOWN}: its shape"),
    "shape is a number": (NAME, lambda: with_entry(shape=256), f"{DOWN}: its shape"),
    "shape of texts": (NAME, lambda: with_entry(shape=["2", "128"]), f"{DOWN}: its shape"),
    "shape of fractions": (NAME, lambda: with_entry(shape=[2.0, 128.0]), f"{DOWN}: its shape"),
    "shape of bools": (NAME, lambda: with_entry(shape=[True, 256]), f"{DOWN}: its shape"),
    "shape with null": (NAME, lambda: with_entry(shape=[2, None]), f"{DOWN}: its shape"),
    "shape with NaN": (NAME, lambda: with_entry(shape=[2, float("nan")]), f"{DOWN}: its shape"),
    "shape of five": (NAME, lambda: with_entry(shape=[2, 128, 1, 1, 1]), f"{DOWN}: its shape"),
    "shape of 10,000": (NAME, lambda: with_entry(shape=[1] * 10_000), f"{DOWN}: its shape"),
    "shape 0": (NAME, lambda: with_entry(shape=[0, 128]), f"{DOWN} is (0, 128)"),
    "shape below 0": (NAME, lambda: with_entry(shape=[-2, -128]), f"{DOWN} is (-2, -128)"),
    "shape of 2^40": (NAME, lambda: with_entry(shape=[2**40, 1]), f"{DOWN} is (1099511627776, 1)"),
    "shape of 2^64": (NAME, lambda: with_entry(shape=[2**64, 1]), f"{DOWN}: its shape"),
    "shape of 10^300": (NAME, lambda: with_entry(shape=[10**300, 1]), f"{DOWN}: its shape"),
    "shape larger than its bytes": (NAME, lambda: with_entry(shape=[4, 128]), f"{DOWN} takes 512 bytes"),
    "shape smaller than its bytes": (NAME, lambda: with_entry(shape=[1, 128]), f"{DOWN} takes 512 bytes"),
    "offsets are a text": (NAME, lambda: with_entry(data_offsets="0-512"), f"{DOWN}: its data_offsets"),
    "one offset": (NAME, lambda: with_entry(data_offsets=[0]), f"{DOWN}: its data_offsets"),
    "three offsets": (NAME, lambda: with_entry(data_offsets=[0, 256, 512]), f"{DOWN}: its data_offsets"),
    "offsets of fractions": (NAME, lambda: with_entry(data_offsets=[0.0, 512.0]), f"{DOWN}: its data_offsets"),
    "offsets backwards": (NAME, lambda: with_entry(data_offsets=[512, 0]), f"{DOWN} takes -512 bytes"),
    "offsets below 0": (NAME, lambda: with_entry(data_offsets=[-512, 0]), f"{DOWN} takes 512 bytes"),
    "offsets of 2^62": (NAME, lambda: with_entry(data_offsets=[2**62, 2**62 + 512]), "gap"),
    "offsets of 2^70": (NAME, lambda: with_entry(data_offsets=[2**70, 2**70 + 512]), f"{DOWN}: its data_offsets"),
    "offsets overlap": (NAME, lambda: with_entry(data_offsets=[2, 514]), "gap"),
    "two tensors in one place": (
        NAME,
        lambda: with_header(lambda h: h[UP].update(data_offsets=[0, 512])),
        "overlaps with another tensor",
    ),
    "a key of 10,000 characters": (NAME, lambda: with_tensor("lora_unet_" + "x" * 10_000, np.ones(1, "<f2")), "10010"),
    "a key with control characters": (
        NAME,
        lambda: with_tensor("\x1b[2Jlora", np.ones(1, "<f2")),
        "?[2Jlora is no key",
    ),
    # the body
    "cut by a byte": (NAME, lambda: WHOLE[:-1], "cut short"),
    "cut in half": (NAME, lambda: WHOLE[: len(WHOLE) // 2 + 300], "cut short"),
    "a byte too many": (NAME, lambda: WHOLE + b"\x00", "1 bytes after its last tensor"),
    "a megabyte too many": (NAME, lambda: WHOLE + b"\x00" * (1 << 20), "1,048,576 bytes after its last tensor"),
    "a gap": (NAME, lambda: with_header(lambda h: h.pop(UP)), "gap before it"),
    "NaN in a down": (NAME, lambda: with_value(DOWN, np.nan), f"{DOWN} has values that are not finite"),
    "NaN in an up": (NAME, lambda: with_value(UP, np.nan), f"{UP} has values that are not finite"),
    "NaN alpha": (NAME, lambda: with_value(ALPHA, np.nan), f"{ALPHA} has values that are not finite"),
    "infinite": (NAME, lambda: with_value(DOWN, np.inf), f"{DOWN} has values that are not finite"),
    "minus infinite": (NAME, lambda: with_value(UP, -np.inf), f"{UP} has values that are not finite"),
    "NaN in fp32": (NAME, lambda: with_value(DOWN, np.nan, "<f4"), f"{DOWN} has values that are not finite"),
    "NaN in fp64": (NAME, lambda: with_value(DOWN, np.nan, "<f8"), f"{DOWN} has values that are not finite"),
    "NaN in bf16": (NAME, bf16_nan, f"{K}.alpha has values that are not finite"),
    "alpha 0": (NAME, lambda: with_value(ALPHA, 0.0), f"{ALPHA} is 0"),
    "alpha below 0": (NAME, lambda: with_value(ALPHA, -4.0), f"{ALPHA} is -4"),
    "two alphas": (NAME, lambda: with_tensor(ALPHA, np.ones(2, "<f2")), f"{ALPHA} is (2)"),
    # layers
    "no up": (NAME, lambda: with_tensor(UP, None), f"without {UP}"),
    "no down": (NAME, lambda: with_tensor(DOWN, None), f"without {DOWN}"),
    "an alpha alone": (NAME, lambda: with_tensor(f"{TE}.alpha", np.array(1.0, "<f2")), f"{TE}.alpha"),
    "ranks differ": (NAME, lambda: with_tensor(UP, np.ones((WIDTH, 3), "<f2")), "do not belong together"),
    "a down of one axis": (NAME, lambda: with_tensor(DOWN, np.ones(256, "<f2")), "do not belong together"),
    "a down of three axes": (NAME, lambda: with_tensor(DOWN, np.ones((2, 128, 1), "<f2")), "do not belong together"),
    "a down that is one number": (NAME, lambda: with_tensor(DOWN, np.array(1.0, "<f2")), "do not belong together"),
    "linear and convolution": (NAME, lambda: with_tensor(UP, np.ones((WIDTH, 2, 1, 1), "<f2")), "not belong together"),
    "an up of 3x3": (
        NAME,
        lambda: packed({DOWN: np.ones((2, WIDTH, 1, 1), "<f2"), UP: np.ones((WIDTH, 2, 3, 3), "<f2")}),
        f"{UP} is (128, 2, 3, 3)",
    ),
    "rank 2,000": (NAME, lambda: packed(tensors(rank=2000)), "rank 2,000"),
    "too narrow for the base": (NAME, lambda: with_tensor(DOWN, np.ones((2, 64), "<f2")), "its down is (2, 64)"),
    "too tall for the base": (NAME, lambda: with_tensor(UP, np.ones((99, 2), "<f2")), "its up is (99, 2)"),
    "a layer that the base lacks": (NAME, lambda: renamed("mid_block", "up_blocks_9"), "no such layer"),
    "a layer that no base has": (NAME, lambda: renamed("_attn1_to_q", "_attn7_to_q"), "no such layer"),
    "layer 99 of the text encoder": (
        NAME,
        lambda: packed(halves(TE.replace("_0_", "_99_"), ".lora_down.weight", ".lora_up.weight")),
        "no such layer",
    ),
    "a DoRA of output rows": (
        NAME,
        lambda: with_tensor(f"{Q}.dora_scale", np.ones((WIDTH, 1), "<f4")),
        f"{Q}.dora_scale is (128, 1)",
    ),
    # other models, other adapters
    "SDXL's second text encoder": (NAME, lambda: renamed("lora_unet_", "lora_te2_"), "SDXL"),
    "SDXL's first text encoder": (NAME, lambda: renamed("lora_unet_", "lora_te1_"), "SDXL"),
    "SDXL in original names": (NAME, lambda: renamed("mid_block", "input_blocks_4_1"), "SDXL"),
    "SDXL by its width": (NAME, lambda: packed(tensors(width=2048)), f"{K}.lora_down.weight is (2, 2048)"),
    "SD 2 by its width": (NAME, lambda: packed(tensors(width=1024)), "Stable Diffusion 2"),
    "SD 2 by its metadata": (NAME, lambda: packed(tensors(), {"ss_v2": "True"}), "ss_v2 is True"),
    "Flux in kohya's names": (NAME, lambda: renamed("mid_block", "double_blocks_0"), "Flux"),
    "Flux in diffusers' names": (NAME, lambda: packed(halves("transformer.transformer_blocks.0.attn.to_q")), "Flux"),
    "Flux in ComfyUI's names": (NAME, lambda: packed(halves("diffusion_model.double_blocks.0.img_attn.qkv")), "Flux"),
    "SD 3's third text encoder": (NAME, lambda: renamed("lora_unet_", "lora_te3_"), "SD 3"),
    "LoHa": (NAME, lambda: with_tensor(f"{Q}.hada_w1_a", np.ones((2, 2), "<f2")), f"{Q}.hada_w1_a belongs to LoHa"),
    "LoKr": (NAME, lambda: with_tensor(f"{Q}.lokr_w1", np.ones((2, 2), "<f2")), f"{Q}.lokr_w1 belongs to LoKr"),
    "LoCon with a core": (NAME, lambda: with_tensor(f"{Q}.lora_mid.weight", np.ones((2, 2), "<f2")), "core tensor"),
    "OFT": (NAME, lambda: with_tensor(f"{Q}.oft_blocks", np.ones((2, 2), "<f2")), "OFT"),
    "IA3": (NAME, lambda: with_tensor(f"{Q}.on_input", np.ones(1, "<f2")), "IA3"),
    "full weights": (NAME, lambda: with_tensor(f"{Q}.diff", np.ones((2, 2), "<f2")), "whole weights"),
    "trained norms": (NAME, lambda: with_tensor(f"{Q}.w_norm", np.ones(2, "<f2")), "norms"),
    "peft's DoRA": (NAME, lambda: packed(halves("unet.a", ".lora_magnitude_vector", ".x")), "lora_magnitude_vector"),
    "a base model": (NAME, lambda: packed({"model.diffusion_model.out.2.weight": np.ones(1, "<f2")}), "base model's"),
    "a textual inversion": (NAME, lambda: packed({"emb_params": np.ones((1, 768), "<f2")}), "textual inversion"),
    "a ControlNet": (NAME, lambda: packed({"control_model.out.weight": np.ones(1, "<f2")}), "ControlNet"),
    "a key of nobody's": (NAME, lambda: with_tensor("weight", np.ones(1, "<f2")), "weight is no key of a plain LoRA"),
    "an empty key": (NAME, lambda: with_tensor("", np.ones(1, "<f2")), "is no key of a plain LoRA"),
    "a path upwards": (NAME, lambda: packed(halves("unet.../../etc/passwd")), "names no layer"),
    "one layer in two dialects": (
        NAME,
        lambda: packed({**tensors(), **halves("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q")}),
        "are the same tensor",
    ),
    # peft's and diffusers' configs
    "peft without its config": (NAME, lambda: packed(halves(PEFT)), "adapter_config.json is not beside it"),
    "an adapter config that is no JSON": (
        NAME,
        lambda: packed(halves("unet.mid_block.attentions.0.proj_in"), {"lora_adapter_metadata": "{"}),
        "lora_adapter_metadata in the metadata is no JSON",
    ),
    "an adapter config that is a list": (
        NAME,
        lambda: packed(halves("unet.mid_block.attentions.0.proj_in"), {"lora_adapter_metadata": "[1]"}),
        "no JSON object",
    ),
    "an adapter config with a bad alpha": (
        NAME,
        lambda: packed(
            halves("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"),
            {"lora_adapter_metadata": '{"unet.lora_alpha": "eight"}'},
        ),
        "unet.lora_alpha is 'eight'",
    ),
    "an adapter config with an infinite alpha": (
        NAME,
        lambda: packed(
            halves("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"),
            {"lora_adapter_metadata": '{"unet.lora_alpha": 1e999}'},
        ),
        "unet.lora_alpha is inf",
    ),
    "an adapter config with a pattern that never ends": (
        NAME,
        lambda: packed(
            halves("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"),
            {"lora_adapter_metadata": '{"unet.alpha_pattern": {"(a+)+$": 1}}'},
        ),
        "alpha_pattern has '(a+)+$'",
    ),
}
