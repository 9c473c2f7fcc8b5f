"""The equations of the networks as text.

``h_{t-1}`` has a subscript, ``W^T`` a superscript; ``*`` is the product of entries, and ``σ`` the
logistic function.
"""

__all__ = [
    "ADAGRAD",
    "CLIP",
    "LAYER",
    "LAYER_BACK",
    "LOSS",
    "OPTIMIZER",
    "OUTPUT",
    "OUTPUT_BACK",
]

LAYER = {
    "rnn": ("h_t = tanh(W h_{t-1} + U x_t + b)",),
    "gru": (
        "r_t = σ(W_r h_{t-1} + U_r x_t + b_r)",
        "z_t = σ(W_z h_{t-1} + U_z x_t + b_z)",
        "q_t = W_n h_{t-1} + d",
        "n_t = tanh(U_n x_t + b_n + r_t * q_t)",
        "h_t = (1 - z_t) * n_t + z_t * h_{t-1}",
    ),
    "lstm": (
        "g_t = tanh(W_g h_{t-1} + U_g x_t + b_g)",
        "i_t = σ(W_i h_{t-1} + U_i x_t + b_i)",
        "f_t = σ(W_f h_{t-1} + U_f x_t + b_f)",
        "o_t = σ(W_o h_{t-1} + U_o x_t + b_o)",
        "c_t = f_t * c_{t-1} + i_t * g_t",
        "h_t = o_t * tanh(c_t)",
    ),
}
LAYER_BACK = {
    "rnn": (
        "dh_t = e_t + W^T da_{t+1}",
        "da_t = dh_t * (1 - h_t^2)",
        "dU = ∑_t da_t x_t^T",
        "dW = ∑_t da_t h_{t-1}^T",
        "db = ∑_t da_t",
        "dx_t = U^T da_t",
    ),
    "gru": (
        "dh_t = e_t + z_{t+1} * dh_{t+1} + W^T dw_{t+1}",
        "da_n = dh_t * (1 - z_t) * (1 - n_t^2)",
        "da_z = dh_t * (h_{t-1} - n_t) * z_t * (1 - z_t)",
        "dq_t = da_n * r_t",
        "da_r = da_n * q_t * r_t * (1 - r_t)",
        "du_t = [da_r; da_z; da_n]",
        "dw_t = [da_r; da_z; dq_t]",
        "dU = ∑_t du_t x_t^T",
        "dW = ∑_t dw_t h_{t-1}^T",
        "db = ∑_t du_t",
        "dd = ∑_t dq_t",
        "dx_t = U^T du_t",
    ),
    "lstm": (
        "dh_t = e_t + W^T da_{t+1}",
        "dc_t = dh_t * o_t * (1 - tanh(c_t)^2) + dc_{t+1} * f_{t+1}",
        "da_g = dc_t * i_t * (1 - g_t^2)",
        "da_i = dc_t * g_t * i_t * (1 - i_t)",
        "da_f = dc_t * c_{t-1} * f_t * (1 - f_t)",
        "da_o = dh_t * tanh(c_t) * o_t * (1 - o_t)",
        "da_t = [da_g; da_i; da_f; da_o]",
        "dU = ∑_t da_t x_t^T",
        "dW = ∑_t da_t h_{t-1}^T",
        "db = ∑_t da_t",
        "dx_t = U^T da_t",
    ),
}
OUTPUT = ("o_t = V h_t + c", "p_t = softmax(o_t)")
LOSS = ("loss = -∑_t log(y_t^T p_t)",)
OUTPUT_BACK = ("do_t = p_t - y_t", "dV = ∑_t do_t h_t^T", "dc = ∑_t do_t", "e_t = V^T do_t")
OPTIMIZER = {
    "adagrad": ("G ← G + g^2", "θ ← θ - η g / √(G + 10^{-8})"),
    "adam": (
        "m ← β_1 m + (1 - β_1) g",
        "v ← β_2 v + (1 - β_2) g^2",
        "θ ← θ - η (m / (1 - β_1^t)) / (√(v / (1 - β_2^t)) + ε)",
    ),
    "rmsprop": ("v ← ρ v + (1 - ρ) g^2", "θ ← θ - η g / (√v + ε)"),
    "sgd": ("v ← μ v + g", "θ ← θ - η v"),
}
CLIP = {
    "value": ("g_i ← max(-k, min(g_i, k))",),
    "norm": ("g ← g * min(1, k / ‖g‖)",),
}
ADAGRAD = ("g ← clip(g, -5, 5)", *OPTIMIZER["adagrad"])
