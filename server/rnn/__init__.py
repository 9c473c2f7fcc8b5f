"""The network, its training and its gradient check, in NumPy and the standard library only.

To read the default network from start to end, take these modules in order: `vocabulary` (text to
indices), `architecture` and `parameters` (names, shapes, storage), `cells.vanilla` (the recurrence,
forward and backward), `network` (softmax, loss, gradients), `optimizers.adagrad`,
`training.trainer` (one update), `sampling.sampling` (generating text).

Modules written for speed begin by saying so, and name the module with the plain equations.
"""
