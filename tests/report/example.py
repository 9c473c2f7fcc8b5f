"""The content of a report in which everything that can be quoted is the same text."""

import numpy as np

from server.analysis.gradient_check import GradientCheckRequest, GradientCheckResult
from server.report.content import (
    CheckPart,
    EvolutionPart,
    EvolutionText,
    Finding,
    LossPart,
    PassagePart,
    ReportContent,
)
from server.spec.report_remarks import ReportRemarks
from server.spec.schemas import Best, Quality


def loss_part(updates=2_000, bucket=10, **changes):
    update = np.arange(bucket, updates + 1, bucket)
    smooth = 60.0 + 50.0 * np.exp(-update / 400)
    part = {
        "update": update,
        "smooth": smooth,
        "low": smooth - 10,
        "high": smooth + 10,
        "bucket": bucket,
        "epochs": [401, 801, 1_201, 1_601],
        "lowest": Best(update=updates, smooth_loss=float(smooth[-1])),
        "last": float(smooth[-1]),
        "references": [("unigram", 77.0), ("bigram", 58.1)],
    }
    return LossPart(**part | changes)


def checked(*, passed=True):
    error = 1e-12 if passed else 0.5
    parameter = {
        "name": "W",
        "shape": [20, 20],
        "complex_step": error,
        "central_difference": None if not passed else 1e-9,
        "passed": passed,
    }
    return GradientCheckResult.model_validate(
        {
            "passed": passed,
            "threshold": 1e-6,
            "thresholds": {"complex_step": 1e-10, "central_difference": 1e-6},
            "dtype": "float64",
            "parameters": [parameter],
        }
    )


def content_of(text, *, language=None, **changes):
    remarks = dict.fromkeys(
        ("title", "author", "gradients", "loss", "evolution", "passage", "findings", "translation"),
        text,
    )
    sample = EvolutionText(
        update=10_000, epoch=2, smooth_loss=55.5, text=text, hurrahs=[text], origin=text
    )
    content = {
        "run_id": "0123456789ab",
        "title": text,
        "summary": text,
        "key_figures": [("updates", "2,000")],
        "made_at": "2026-03-01",
        "language": language,
        "remarks": ReportRemarks(**remarks),
        "check": CheckPart(
            request=GradientCheckRequest(), result=checked(), differences=[text], missing=[text]
        ),
        "loss": loss_part(missing=[text]),
        "evolution": EvolutionPart(texts=[sample], missing=[text]),
        "passage": PassagePart(
            text=text,
            update=2_000,
            smooth_loss=60.0,
            quality=Quality(0.5, 3, 12),
            translation=text,
            missing=[text],
        ),
        "findings": [Finding(text, text)],
        "findings_missing": [text],
        "settings": [(text, text)],
        "corpus": [(text, text)],
        "environment": [(text, text)],
        "command": text,
        "command_notes": [text],
    }
    return ReportContent(**content | changes)
