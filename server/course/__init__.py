"""The course: problems whose gradients a student computes, and what is wrong with the answer."""
