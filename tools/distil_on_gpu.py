"""Distil edge and nano on a machine with an NVIDIA GPU.

    PYTHONPATH=src python -m tools.distil_on_gpu FOLDER --minutes 9

FOLDER is written by `tools.train_and_export --warm-start ... --gpu-folder FOLDER`: the networks to begin with, the
teacher, and the spectrograms. This program needs it, a checkout, PyTorch and numpy, but neither TensorFlow nor the
data. It writes FOLDER/trained.npz every minute and at the end; another run goes on with these networks, from the
highest learning rate. The first command, repeated, then trains the last phase, quantises the networks and fits their
heads.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.training.distillation.exchange import files
from tools.training.distillation.exchange.files import NetworkData

if TYPE_CHECKING:
    from tools.training.distillation.gpu.training import Trainer
    from tools.training.distillation.gpu.views import ViewMaker

REPORT_S = 60.0
MAX_FRAMES = 10_000


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the networks and the spectrograms")
    parser.add_argument("--minutes", type=float, required=True, help="duration of the training")
    parser.add_argument("--batch", type=int, default=512, help="views in a batch (default: 512)")
    parser.add_argument("--frames", type=int, default=500, help="length of a view in frames (default: 500)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="highest learning rate (default: 0.002)")
    parser.add_argument("--full-precision", action="store_true", help="do not compute in half precision")
    parser.add_argument("--device", default="cuda", help="of PyTorch, such as cuda, cuda:1 or cpu (default: cuda)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not all(0 < number < math.inf for number in (arguments.minutes, arguments.learning_rate, arguments.batch)):
        parser.error("--minutes, --learning-rate and --batch must be positive")
    if not 100 <= arguments.frames <= MAX_FRAMES:
        parser.error(f"--frames must be from 100 to {MAX_FRAMES}")
    return arguments


@dataclass
class Run:
    """A training with what is measured and written.

    Attributes:
        folder: of the networks.
        networks: the students before the training.
        identity: of the folder's first networks and recordings.
        trainer: of the students.
        validation: views that the students are measured with.
    """

    folder: Path
    networks: dict[str, NetworkData]
    identity: np.ndarray
    trainer: Trainer
    validation: ViewMaker

    def report(self, line: str) -> None:
        """Print a line, write the students' weights and measure them.

        Raises:
            SystemExit: the weights are not finite; those of the report before remain.
        """
        print(line, flush=True)
        weights = {name: student.weights() for name, student in self.trainer.students.items()}
        if not all(np.isfinite(value).all() for network in weights.values() for value in network.values()):
            raise SystemExit(f"the training diverged, so {self.folder} keeps its networks; try a lower --learning-rate")
        trained = {name: replace(self.networks[name], weights=weights[name]) for name in weights}
        constants = {"views": np.array(self.trainer.n_views), "identity": self.identity}
        files.save_networks(self.folder / files.TRAINED, trained, constants)
        for name, shares in self.trainer.explained(self.validation).items():
            print(f"  {name}: {', '.join(f'{key} {share:.3f}' for key, share in shares.items())}", flush=True)


def load(arguments: argparse.Namespace) -> Run:
    """Return the training of a folder's networks.

    Raises:
        SystemExit: the folder is incomplete, or PyTorch has no such device.
    """
    try:
        import torch
    except ImportError:
        raise SystemExit("distillation on a GPU needs PyTorch 2.6 or newer: pip install torch") from None
    from tools.training.distillation.gpu import training, views
    from tools.training.distillation.gpu.network import Network

    folder, device = arguments.folder, arguments.device
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise SystemExit(f"PyTorch cannot use the device {device!r} ({reason}); --device cpu is very slow") from None
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    networks, constants = files.load_networks(folder / files.START, (*views.FrontEnd.names(), "is_music", "identity"))
    if files.TEACHER not in networks:
        raise SystemExit(f"{folder / files.START}: has no teacher")
    teacher_data, listed, n_views = networks.pop(files.TEACHER), files.load_list(folder), 0
    if (folder / files.TRAINED).exists():
        networks, trained = files.load_networks(folder / files.TRAINED, ("views", "identity"))
        if str(trained["identity"]) != str(constants["identity"]):
            raise SystemExit(f"{folder / files.TRAINED}: does not belong to {files.START}; remove one of them")
        n_views = int(trained["views"])
    front_end, is_music = views.FrontEnd.of(constants), torch.from_numpy(constants["is_music"]).to(device)

    def network(data: NetworkData) -> Network:
        result: Network = Network(data.design, data.stage_ends, data.weights, data.heads).to(device)
        return result

    def maker(is_validation: bool, seed: int) -> ViewMaker:
        chosen = [file for file in listed if file.is_validation == is_validation]
        return views.ViewMaker(views.Spectrograms.load(folder, chosen, device), front_end, seed, not is_validation)

    half, rate = not arguments.full_precision, arguments.learning_rate
    settings = training.Settings(arguments.minutes, arguments.batch, arguments.frames, half, rate)
    built = {name: network(data) for name, data in networks.items()}
    views_to_learn_from = maker(False, arguments.seed + n_views)
    teacher = training.Teacher(network(teacher_data))
    trainer = training.Trainer(teacher, built, is_music, views_to_learn_from, settings, n_views)
    return Run(folder, networks, constants["identity"], trainer, maker(True, arguments.seed))


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    try:
        run = load(arguments)
        print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
        run.trainer.run(run.report, REPORT_S)
    except RuntimeError as error:
        if "out of memory" not in str(error):
            raise
        raise SystemExit("the GPU's memory does not suffice; try a smaller --batch") from None


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; the networks of the last report, if there was one, are in the folder")
