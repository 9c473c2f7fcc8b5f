"""The whole method in plain NumPy, to be read: a cell, and the network around it.

`vanilla`, `gru` and `lstm` have the forward and the backward pass of one layer; `network` has the
output, the loss, back-propagation through all layers, and AdaGrad. Each cell and `network` together
are about sixty lines. The notation is the course's: parameters U, W, b, V and c, column vectors,
characters as one-hot vectors. Numbering is Python's: a sequence has the steps 0 to T - 1, and
``h[-1]`` is the state before it.

This is the definition that the rest of `server.rnn` is tested against. It imports none of it.
"""
