"""The same updates in PyTorch, written in its usual style: eager, with autograd."""

from typing import TypeAlias

import torch
from torch import nn
from torch.nn import functional

from benchmarks.training.tasks import CLIP, LEARNING_RATE, Task, vocabulary

State: TypeAlias = torch.Tensor

torch.set_num_threads(1)

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class PyTorchTrainer:
    """A recurrent layer on one-hot characters, a linear layer, cross-entropy, AdaGrad.

    Parameters
    ----------
    task : Task
    threads : int
        The number of threads that compute each operation.
    """

    def __init__(self, task: Task, threads: int = 1) -> None:
        self.threads = threads
        self.vocabulary_size = len(vocabulary())
        self.batch_size = task.batch_size
        self.recurrent = CELLS[task.cell](self.vocabulary_size, task.hidden_size)
        self.output = nn.Linear(task.hidden_size, self.vocabulary_size)
        self.parameters = [*self.recurrent.parameters(), *self.output.parameters()]
        self.optimizer = torch.optim.Adagrad(self.parameters, lr=LEARNING_RATE)
        self.state: State | tuple[State, ...] | None = None
        self.sequences = task.sequences()

    def update(self) -> float:
        """Learn from the next sequences and return their loss in nats."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        x, y = (torch.from_numpy(part) for part in next(self.sequences))
        inputs = functional.one_hot(x, self.vocabulary_size).float()
        hidden, state = self.recurrent(inputs, self.state)
        self.state = (
            tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
        )
        logits = self.output(hidden).flatten(0, 1)
        loss = functional.cross_entropy(logits, y.flatten(), reduction="sum") / self.batch_size
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(self.parameters, CLIP)
        self.optimizer.step()
        return float(loss.item())
