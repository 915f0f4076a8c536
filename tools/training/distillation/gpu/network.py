"""The teacher and the students in PyTorch: the same functions as the Keras networks in `students.stages`.

Each batch normalisation is folded into its convolution: a channel of the kernel has a gain and a bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.training.distillation.exchange.files import Weights
from tools.training.distillation.mobilenet import Block, Design


class Convolution(nn.Module):
    """A convolution with symmetric padding, a gain and a bias for each channel of its output, and an activation."""

    def __init__(self, weights: Weights, name: str, stride: int = 1, activation: str | None = None) -> None:
        super().__init__()
        kernel = weights[f"{name}.kernel"]
        self.is_depthwise = name.endswith("depthwise")
        axes = (2, 3, 0, 1) if self.is_depthwise else (3, 2, 0, 1)
        self.kernel = _parameter(kernel.transpose(axes))
        self.gain = _parameter(weights[f"{name}.gain"])
        self.bias = _parameter(weights[f"{name}.bias"])
        self.name, self.stride, self.activation = name, stride, activation

    def forward(self, x: Tensor, rounded: bool = False) -> Tensor:
        kernel = self.kernel * self.gain[:, None, None, None]
        if rounded:
            kernel = round_kernel(kernel)
        groups = len(kernel) if self.is_depthwise else 1
        y = functional.conv2d(x, kernel, self.bias, self.stride, kernel.shape[-1] // 2, groups=groups)
        if self.activation == "relu":
            y = functional.relu(y)
        elif self.activation == "hard_swish":
            y = functional.hardswish(y)
        return round_activations(y) if rounded else y

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights by name, in Keras' order."""
        axes = (2, 3, 0, 1) if self.is_depthwise else (2, 3, 1, 0)
        named = {"kernel": self.kernel.permute(axes), "gain": self.gain, "bias": self.bias}
        return {f"{self.name}.{part}": _array(values) for part, values in named.items()}


class SqueezeAndExcite(nn.Module):
    """Scale each channel by a gate that depends on the means of all channels."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.squeeze, self.excite = Linear(weights, f"{name}_squeeze"), Linear(weights, f"{name}_excite")

    def forward(self, x: Tensor, rounded: bool = False) -> Tensor:
        after = round_activations if rounded else _unchanged
        mean = after(x.mean(dim=(2, 3)))
        gate = after(torch.sigmoid(self.excite(after(functional.relu(self.squeeze(mean))))))
        return after(x * gate[:, :, None, None])


class Linear(nn.Module):
    """A dense layer, or a 1x1 convolution of means."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        kernel = weights[f"{name}.kernel"]
        self.name, self._shape = name, kernel.shape
        self.kernel = _parameter(kernel.reshape(kernel.shape[-2:]))
        self.bias = _parameter(weights[f"{name}.bias"])

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.kernel.to(x.dtype) + self.bias.to(x.dtype)

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights by name, in Keras' order and shape."""
        return {f"{self.name}.kernel": _array(self.kernel).reshape(self._shape), f"{self.name}.bias": _array(self.bias)}


class InvertedResidual(nn.Module):
    """A block of MobileNetV3."""

    def __init__(self, weights: Weights, block: Block, n_in: int, name: str) -> None:
        super().__init__()
        is_expanded = block.expanded != n_in
        self.expand = Convolution(weights, f"{name}_expand", 1, block.activation) if is_expanded else None
        self.depthwise = Convolution(weights, f"{name}_depthwise", block.stride, block.activation)
        self.gate = SqueezeAndExcite(weights, f"{name}_se") if block.squeeze else None
        self.project = Convolution(weights, f"{name}_project")
        self.is_added = block.stride == 1 and n_in == block.out

    def forward(self, x: Tensor, rounded: bool = False) -> Tensor:
        y = self.expand(x, rounded) if self.expand else x
        y = self.depthwise(y, rounded)
        y = self.gate(y, rounded) if self.gate else y
        y = self.project(y, rounded)
        if not self.is_added:
            return y
        return round_activations(x + y) if rounded else x + y


class Network(nn.Module):
    """A network from normalised patches, `(k, 1, n_mels, frames)`, to the outputs of its stages and its logits.

    Args:
        design: of the convolutions.
        stage_ends: numbers of the blocks at whose end a stage ends, from 1.
        weights: of all layers, also of those named in `heads`.
        heads: names of dense layers on the embedding.
    """

    def __init__(self, design: Design, stage_ends: Sequence[int], weights: Weights, heads: Sequence[str] = ()) -> None:
        super().__init__()
        self._stage_ends = set(stage_ends)
        self.stem = Convolution(weights, "stem", 2, design.activation)
        channels, blocks = design.stem, []
        for number, block in enumerate(design.blocks, 1):
            blocks.append(InvertedResidual(weights, block, channels, f"block_{number}"))
            channels = block.out
        self.blocks = nn.ModuleList(blocks)
        self.last = Convolution(weights, "last", 1, design.activation)
        self.heads = nn.ModuleList([Linear(weights, name) for name in heads])

    def forward(self, x: Tensor, rounded: bool = False) -> list[Tensor]:
        """Return the outputs of all stages; the last is the embedding, `(k, channels)`.

        Args:
            x: patches.
            rounded: as in the int8 network.
        """
        stages = []
        x = self.stem(round_activations(x) if rounded else x, rounded)
        for number, block in enumerate(self.blocks, 1):
            x = block(x, rounded)
            if number in self._stage_ends:
                stages.append(x)
        embedding = self.last(x, rounded).mean(dim=(2, 3))
        return [*stages, round_activations(embedding) if rounded else embedding]

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights of all layers by name."""
        parts = [module.weights() for module in self.modules() if isinstance(module, Convolution | Linear)]
        return {name: values for part in parts for name, values in part.items()}


def _parameter(values: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.copy(order="C")))  # a copy, because the training changes it


def _array(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.detach().cpu().numpy().copy(order="C")
    return array


def _unchanged(x: Tensor) -> Tensor:
    return x


def round_activations(x: Tensor) -> Tensor:
    """Round to 256 steps from the smallest to the largest value, with 0 among them; gradients pass."""
    low, high = (limit.float() for limit in torch.aminmax(x.detach()))
    low, high = low.clamp(max=0.0), high.clamp(min=1e-6)
    scale = (high - low) / 255
    return torch.fake_quantize_per_tensor_affine(x, scale, torch.round(-low / scale).int(), 0, 255)


def round_kernel(kernel: Tensor) -> Tensor:
    """Round each channel, the first axis, to 255 steps that are symmetric to 0; gradients pass unchanged."""
    scale = kernel.detach().abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-9) / 127
    return kernel + (torch.round(kernel / scale) * scale - kernel).detach()
