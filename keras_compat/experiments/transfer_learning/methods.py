"""Ways to train source and target networks before one gets the head of the other (Sec. 5.3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One way to start fine-tuning.

    Args:
        frozen: whether networks learn with one rotation head, which had learnt before (RP); else
            each has one of its own.
        alike: whether networks start from the same weights (IIW).
        pretrained: whether these weights are those of the network that the rotation head was
            trained in.
        trained_as: the method whose networks serve this one; `None` trains its own.
        new_head: whether a head of random weights takes the place of the target's.
    """

    frozen: bool = False
    alike: bool = False
    pretrained: bool = False
    trained_as: str | None = None
    new_head: bool = False

    @property
    def needs_rotation_network(self) -> bool:
        """Whether networks take anything from the network of the rotation head."""
        return self.frozen or self.pretrained


METHODS = {
    "pretrained+rp": Method(frozen=True, alike=True, pretrained=True),
    "iiw+rp": Method(frozen=True, alike=True),
    "rp": Method(frozen=True),
    "pretrained": Method(alike=True, pretrained=True),
    "independent": Method(),
    "pretrained+reinitialized": Method(trained_as="pretrained+rp", new_head=True),
    "reinitialized": Method(trained_as="independent", new_head=True),
}
"""By name; those of random weights are the paper's (Sec. 5.3, Fig. 5)."""


def trained_as(name: str) -> str:
    """Returns the method whose networks serve a method.

    Example:

    >>> trained_as("reinitialized"), trained_as("rp")
    ('independent', 'rp')
    """
    return METHODS[name].trained_as or name
