"""Parts that many tests share: loaded once, never changed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trainer import EMBEDDED

if TYPE_CHECKING:
    from filled import Filled

    from workbench.findings.analysis import Tables

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded: waiting threads sleep
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a shell: children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
pytest_plugins = ["browser_fixtures", "copy_fixtures"]


@pytest.fixture(scope="session")
def base() -> Iterator:
    """The embedded miniature on the CPU, one thread: the same bits everywhere. Detach what you attach."""
    import torch

    from trainer.base import load_base
    from trainer.device import probe

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_base("embedded", probe("cpu"))
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def subject() -> Path:
    """The demo subject: train/ (30 photos with captions) and reference/ (10)."""
    return EMBEDDED / "subjects" / "subject_a"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> "Filled":
    """A filled workspace for tests that only read."""
    from filled import fill

    return fill(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def read(shared: "Filled") -> "Tables":
    """Its tables, which nobody changes."""
    from workbench.findings.analysis import tables

    return tables(shared.db, shared.project_id)


@pytest.fixture(scope="session")
def small_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder laid out as SD 1.x (4 latent channels, 77 tokens, 32 groups): small, untrained."""
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = CLIPTokenizer.from_pretrained(EMBEDDED / "base" / "tokenizer", local_files_only=True)
        tokenizer.model_max_length = 77
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(32, 32, 64, 64),
            attention_head_dim=4,
            cross_attention_dim=32,
            norm_num_groups=32,
        )
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(32, 32, 32, 32),
            latent_channels=4,
            norm_num_groups=32,
            sample_size=64,
        )
        text = CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=77,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        pipeline = StableDiffusionPipeline(
            vae=vae,
            text_encoder=CLIPTextModel(text),
            tokenizer=tokenizer,
            unet=unet,
            scheduler=DDPMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                steps_offset=1,
                clip_sample=False,
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    folder = tmp_path_factory.mktemp("bases") / "small-sd"
    pipeline.save_pretrained(folder)
    return folder
