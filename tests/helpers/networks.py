"""Source of networks that tests hand over as plugins."""

from __future__ import annotations

FROZEN_NETWORK = '''"""A frozen convolution and a linear layer."""
from torch import nn


def fixed(num_classes, in_channels, image_size):
    body = nn.Sequential(nn.Conv2d(in_channels, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten())
    for weight in body.parameters():
        weight.requires_grad = False
    return nn.Sequential(body, nn.Linear(12 * (image_size[0] - 2) ** 2, num_classes))
'''
