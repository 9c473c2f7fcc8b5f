"""The gradient check: the network's gradients against derivatives of the reference's loss."""
