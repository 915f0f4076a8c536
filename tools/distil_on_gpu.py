"""Distil edge and nano on a machine with an NVIDIA GPU.

    python -m tools.distil_on_gpu FOLDER --minutes 9

FOLDER is written by `tools.train_and_export --warm-start ... --gpu-folder FOLDER`: the networks to begin with, the
teacher, and the spectrograms. This program needs it, PyTorch and numpy, but neither TensorFlow nor the data. It writes
FOLDER/trained.npz and FOLDER/trained.json every minute and at the end; another run continues from there. The first
command, repeated, then trains the last phase, quantises the networks and fits their heads.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.training.distillation.gpu import handover
from tools.training.distillation.gpu.handover import NetworkData

if TYPE_CHECKING:
    from tools.training.distillation.gpu.training import Trainer
    from tools.training.distillation.gpu.views import ViewMaker

REPORT_S = 60.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the networks and the spectrograms")
    parser.add_argument("--minutes", type=float, required=True, help="duration of the training")
    parser.add_argument("--batch", type=int, default=512, help="views in a batch (default: 512)")
    parser.add_argument("--frames", type=int, default=500, help="length of a view in frames (default: 500)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="highest learning rate (default: 0.002)")
    parser.add_argument("--full-precision", action="store_true", help="do not compute in half precision")
    parser.add_argument("--device", default="cuda", help="of PyTorch (default: cuda)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.minutes <= 0 or arguments.batch < 1 or arguments.frames < 100:
        parser.error("--minutes must be positive, --batch at least 1 and --frames at least 100")
    return arguments


def load(arguments: argparse.Namespace) -> tuple[dict[str, NetworkData], Trainer, ViewMaker]:
    """Return the students' networks, their training, and the views to measure them with.

    Raises:
        SystemExit: the folder is incomplete, or PyTorch has no such device.
    """
    try:
        import torch
    except ImportError:
        raise SystemExit("distillation on a GPU needs PyTorch: pip install torch") from None
    from tools.training.distillation.gpu import training, views
    from tools.training.distillation.gpu.network import Network

    folder, device = arguments.folder, arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU; --device cpu trains without one, very slowly")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    networks, constants = handover.load_networks(folder / handover.START)
    sounds, front_end = handover.load_sounds(folder), views.FrontEnd.of(constants)
    teacher_data = networks.pop(handover.TEACHER)
    n_views = 0
    if (folder / f"{handover.TRAINED}.npz").exists():
        networks, trained = handover.load_networks(folder / handover.TRAINED)
        n_views = int(trained["views"])
    torch.manual_seed(arguments.seed)

    def network(data: NetworkData) -> Network:
        result: Network = Network(data.design, data.stage_ends, data.weights, data.heads).to(device)
        return result

    def maker(is_validation: bool, seed: int) -> ViewMaker:
        chosen = [sound for sound in sounds if sound.is_validation == is_validation]
        return views.ViewMaker(views.Sounds.load(folder, chosen, device), front_end, seed, not is_validation)

    settings = training.Settings(
        arguments.minutes, arguments.batch, arguments.frames, not arguments.full_precision, arguments.learning_rate
    )
    trainer = training.Trainer(
        training.Teacher(network(teacher_data)),
        {name: network(data) for name, data in networks.items()},
        torch.from_numpy(constants["is_music"]).to(device),
        maker(False, arguments.seed + n_views),
        settings,
        n_views,
    )
    return networks, trainer, maker(True, arguments.seed)


def reporter(
    folder: Path, networks: dict[str, NetworkData], trainer: Trainer, validation: ViewMaker
) -> Callable[[str], None]:
    """Return a function that prints a line, measures the students and writes their weights."""

    def report(line: str) -> None:
        print(line, flush=True)
        for name, shares in trainer.explained(validation).items():
            print(f"  {name}: explained: {shares}", flush=True)
        trained = {name: replace(networks[name], weights=s.weights()) for name, s in trainer.students.items()}
        handover.save_networks(folder / handover.TRAINED, trained, {"views": np.array(trainer.n_views)})

    return report


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    networks, trainer, validation = load(arguments)
    print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
    trainer.run(reporter(arguments.folder, networks, trainer, validation), REPORT_S)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; the folder has the networks of the last report, from which the same command continues")
