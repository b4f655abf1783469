"""Makes the golden LoRA files beside it: a file for each dialect and kind of metadata, for the miniature base.

Run `python tests/data/loras/make.py` from the root of the repository; the files come out byte for byte the same. Keys
and entries are as their programs document them: sd-scripts train_network.py (old: before ss_session_id, 2022-12),
LyCORIS kohya.py, peft save_and_load.py, diffusers loaders/lora_base.py, A1111's hashes.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from trainer.layer_shapes import layer_shapes  # noqa: E402

RANK, ALPHA = 2, 1.0
BLOCK = "mid_block.attentions.0"
PATHS = [  # layers as diffusers calls them: some of every kind
    f"unet.{BLOCK}.proj_in",
    f"unet.{BLOCK}.transformer_blocks.0.attn1.to_q",
    f"unet.{BLOCK}.transformer_blocks.0.attn1.to_k",
    f"unet.{BLOCK}.transformer_blocks.0.attn1.to_v",
    f"unet.{BLOCK}.transformer_blocks.0.attn1.to_out.0",
    f"unet.{BLOCK}.transformer_blocks.0.ff.net.2",
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
    "text_encoder.text_model.encoder.layers.0.self_attn.out_proj",
    "text_encoder.text_model.encoder.layers.0.mlp.fc1",
]
WIDE = ["unet.mid_block.resnets.0.conv1", "unet.mid_block.resnets.0.time_emb_proj"]  # LoCon
SHAPES = layer_shapes("embedded")


def kohya(path):
    return path.replace("unet.", "lora_unet_", 1).replace("text_encoder.", "lora_te_", 1).replace(".", "_")


def tensors(paths=PATHS, rank=RANK, seed=0):
    """path -> down and up in fp16, drawn from a fixed stream."""
    draw = np.random.default_rng(seed)
    made = {}
    for path in paths:
        out, width, *kernel = SHAPES[kohya(path)]
        down = draw.normal(0, 0.05, (rank, width, *kernel)).astype("<f2")
        made[path] = down, draw.normal(0, 0.05, (out, rank, *(1 for _ in kernel))).astype("<f2")
    return made


def in_kohya(made, alpha=ALPHA, dora=False):
    named = {}
    for path, (down, up) in made.items():
        named[f"{kohya(path)}.lora_down.weight"], named[f"{kohya(path)}.lora_up.weight"] = down, up
        named[f"{kohya(path)}.alpha"] = np.array(alpha, "<f2")
        if dora:
            _, width, *kernel = SHAPES[kohya(path)]
            named[f"{kohya(path)}.dora_scale"] = np.ones((1, width, *(1 for _ in kernel)), "<f4")
    return named


def write(name, named, metadata=None):
    """A safetensors file: length of the header, header, tensors one after another."""
    header = {} if metadata is None else {"__metadata__": {key: str(value) for key, value in metadata.items()}}
    place = 0
    for key, tensor in named.items():
        end = place + tensor.nbytes
        kind = {"<f2": "F16", "<f4": "F32"}[tensor.dtype.str]
        header[key] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(tensor.tobytes() for tensor in named.values())
    (HERE / name).write_bytes(len(text).to_bytes(8, "little") + text + body)


OLD = {  # sd-scripts of 2022-12: no session, no ss_optimizer, folders of photos
    "ss_learning_rate": 1e-4,
    "ss_text_encoder_lr": 5e-5,
    "ss_unet_lr": 1e-4,
    "ss_num_train_images": 300,
    "ss_num_reg_images": 0,
    "ss_num_batches_per_epoch": 150,
    "ss_num_epochs": 2,
    "ss_batch_size_per_device": 2,
    "ss_total_batch_size": 2,
    "ss_gradient_checkpointing": False,
    "ss_gradient_accumulation_steps": 1,
    "ss_max_train_steps": 300,
    "ss_lr_warmup_steps": 30,
    "ss_lr_scheduler": "cosine",
    "ss_network_module": "networks.lora",
    "ss_network_dim": RANK,
    "ss_network_alpha": ALPHA,
    "ss_mixed_precision": "fp16",
    "ss_full_fp16": False,
    "ss_v2": False,
    "ss_resolution": "(512, 512)",
    "ss_clip_skip": 2,
    "ss_max_token_length": None,
    "ss_color_aug": False,
    "ss_flip_aug": True,
    "ss_random_crop": False,
    "ss_shuffle_caption": False,
    "ss_cache_latents": True,
    "ss_enable_bucket": False,
    "ss_seed": 42,
    "ss_dataset_dirs": json.dumps({"10_zwx woman": {"n_repeats": 10, "img_count": 30}}),
    "ss_reg_dataset_dirs": "{}",
    "ss_tag_frequency": json.dumps({"10_zwx woman": {"zwx woman": 30}}),
    "ss_sd_model_name": "v1-5-pruned.safetensors",
    "ss_sd_model_hash": "81761151",
}
NEW = {  # sd-scripts of 2024: a dataset config, ss_optimizer with arguments
    "ss_session_id": "1234567890",
    "ss_training_started_at": 1700000000.5,
    "ss_output_name": "anna",
    "ss_learning_rate": 2e-4,
    "ss_text_encoder_lr": "[0.0001]",
    "ss_unet_lr": 2e-4,
    "ss_num_train_images": 300,
    "ss_num_reg_images": 0,
    "ss_num_batches_per_epoch": 75,
    "ss_num_epochs": 3,
    "ss_gradient_checkpointing": True,
    "ss_gradient_accumulation_steps": 1,
    "ss_max_train_steps": 225,
    "ss_lr_warmup_steps": 0,
    "ss_lr_scheduler": "constant",
    "ss_network_module": "networks.lora",
    "ss_network_dim": RANK,
    "ss_network_alpha": ALPHA,
    "ss_network_dropout": None,
    "ss_network_args": "{}",
    "ss_mixed_precision": "bf16",
    "ss_full_fp16": False,
    "ss_v2": False,
    "ss_base_model_version": "sd_v1",
    "ss_clip_skip": None,
    "ss_max_token_length": 225,
    "ss_cache_latents": True,
    "ss_seed": 7,
    "ss_noise_offset": 0.05,
    "ss_multires_noise_iterations": None,
    "ss_adaptive_noise_scale": None,
    "ss_zero_terminal_snr": False,
    "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))",
    "ss_max_grad_norm": 1.0,
    "ss_caption_dropout_rate": 0.05,
    "ss_caption_dropout_every_n_epochs": 0,
    "ss_caption_tag_dropout_rate": 0.0,
    "ss_face_crop_aug_range": None,
    "ss_prior_loss_weight": 1.0,
    "ss_min_snr_gamma": 5.0,
    "ss_scale_weight_norms": None,
    "ss_ip_noise_gamma": None,
    "ss_debiased_estimation": False,
    "ss_loss_type": "l2",
    "ss_sd_model_name": "v1-5-pruned.safetensors",
    "ss_new_sd_model_hash": "e1441589a6f3c5a53f5f54d0975a18a7feb7cdf0b0dee276dfc3331ae376a053",
    "ss_datasets": json.dumps(
        [
            {
                "is_dreambooth": True,
                "batch_size_per_device": 4,
                "num_train_images": 300,
                "num_reg_images": 0,
                "resolution": [512, 512],
                "enable_bucket": True,
                "bucket_info": {"buckets": {"0": {"resolution": [512, 512], "count": 300}}},
                "subsets": [
                    {
                        "img_count": 30,
                        "num_repeats": 10,
                        "color_aug": False,
                        "flip_aug": False,
                        "random_crop": False,
                        "shuffle_caption": True,
                        "keep_tokens": 1,
                        "image_dir": "10_zwx",
                        "class_tokens": "zwx",
                        "is_reg": False,
                    }
                ],
            }
        ]
    ),
}


def adapter(part, **more):
    return {f"{part}.{key}": value for key, value in {"r": RANK, "lora_alpha": ALPHA, **more}.items()}


def main():
    """Write every file."""
    plain = tensors()
    write("old.safetensors", in_kohya(plain), OLD)
    for epoch, name in ((1, "anna-000001"), (2, "anna-000002"), (3, "anna")):
        write(f"{name}.safetensors", in_kohya(tensors(seed=epoch)), {**NEW, "ss_epoch": epoch, "ss_steps": 75 * epoch})
    lycoris = {"ss_network_module": "lycoris.kohya", "ss_session_id": "22", "ss_output_name": "locon"}
    algo = {"algo": "locon", "conv_dim": "1", "conv_alpha": "1", "dropout": "0.1"}
    wide = {**in_kohya(tensors(WIDE[:1], rank=1)), **in_kohya(tensors(WIDE[1:]))}
    write(
        "locon.safetensors",
        {**in_kohya(plain), **wide},
        {**NEW, **lycoris, "ss_network_args": json.dumps(algo), "ss_steps": 225, "ss_epoch": 3},
    )
    algo = {"algo": "lora", "dora_wd": "True", "wd_on_output": "False"}
    lycoris |= {"ss_session_id": "23", "ss_output_name": "dora", "ss_network_args": json.dumps(algo)}
    adafactor = "transformers.optimization.Adafactor(scale_parameter=True,relative_step=True)"
    masked = {"ss_optimizer": adafactor, "ss_learning_rate": None, "ss_unet_lr": None, "ss_text_encoder_lr": None}
    dora = {**NEW, **lycoris, **masked, "ss_lr_scheduler": "adafactor:0.0002", "ss_steps": 225, "ss_epoch": 3}
    write("dora.safetensors", in_kohya(plain, dora=True), dora)
    unet = {path: pair for path, pair in plain.items() if path.startswith("unet.")}
    peft = {}
    for path, (down, up) in unet.items():
        inner = path.removeprefix("unet.")
        peft[f"base_model.model.{inner}.lora_A.weight"], peft[f"base_model.model.{inner}.lora_B.weight"] = down, up
    write("peft/adapter_model.safetensors", peft, {"format": "pt"})
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 8, "use_rslora": True, "use_dora": False}
    text = json.dumps({**config, "alpha_pattern": {}, "rank_pattern": {}}, indent=2)
    (HERE / "peft" / "adapter_config.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    old, new = {}, {}
    for path, (down, up) in plain.items():
        part, _, inner = path.partition(".")
        if "attn" in path and part == "unet":
            processor = inner.replace("attn1.", "attn1.processor.").replace("to_out.0", "to_out")
            old[f"unet.{processor}_lora.down.weight"], old[f"unet.{processor}_lora.up.weight"] = down, up
        elif "self_attn" in path:
            old[f"{path}.lora_linear_layer.down.weight"], old[f"{path}.lora_linear_layer.up.weight"] = down, up
        flat = path.replace("text_model.", "")  # as transformers >= 5.6 names it
        new[f"{flat}.lora_A.weight"], new[f"{flat}.lora_B.weight"] = down, up
    write("diffusers-old.safetensors", old)
    patterns = {f"{BLOCK}.proj_in": 4.0}
    configs = {**adapter("unet", alpha_pattern=patterns), **adapter("text_encoder", lora_alpha=3)}
    write("diffusers-new.safetensors", new, {"format": "pt", "lora_adapter_metadata": json.dumps(configs)})
    write("hashes-only.safetensors", in_kohya(plain), {"sshs_model_hash": "a" * 64, "sshs_legacy_hash": "b" * 8})
    write("no-metadata-000004.safetensors", in_kohya(plain))


if __name__ == "__main__":
    main()
