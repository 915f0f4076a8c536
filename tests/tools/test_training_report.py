"""tools/training/report.py against scikit-learn, published examples and simulations."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from sklearn.metrics import confusion_matrix, recall_score

from tools.training import report


def test_calibration_error_by_chance() -> None:
    """Few tracks have a calibration error by chance; the estimate matches simulated labels."""
    rng = np.random.default_rng(3)
    for n in (60, 2000):
        p = np.stack([x := rng.uniform(0.5, 1, n), 1 - x], axis=1)
        # Labels are drawn from p, so that calibration is perfect.
        errors = [report.calibration_error(p, (rng.random(n) > p[:, 0]).astype(int)) for _ in range(300)]
        mean, most = report.calibration_error_by_chance(p)
        assert mean == pytest.approx(np.mean(errors), rel=0.1) and most == pytest.approx(
            np.quantile(errors, 0.95), rel=0.2
        )
        assert (mean < 0.03) == (n == 2000)


def test_classification_metrics_match_sklearn() -> None:
    """Confusion and recall equal scikit-learn's; a missing prediction counts as wrong."""
    rng = np.random.default_rng(1)
    labels = ["a", "b", "c"]
    true, predicted = rng.choice(labels, (2, 60)).tolist()
    metrics = report.classification_metrics(labels, true, predicted)
    assert metrics["confusion"] == confusion_matrix(true, predicted, labels=labels).tolist()
    recalls = recall_score(true, predicted, labels=labels, average=None)
    assert list(metrics["per_genre"].values()) == pytest.approx(recalls.tolist(), abs=1e-4)
    silent = report.classification_metrics(labels, ["a", "b"], [None, "b"])
    assert silent["accuracy"] == 0.5 and silent["confusion"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_wilson_interval_published_example() -> None:
    """The interval equals published values."""
    # Newcombe 1998, table I: 81 of 263.
    assert report.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert report.wilson_interval(0, 10)[0] == 0 and report.wilson_interval(10, 10)[1] == pytest.approx(1)


@pytest.mark.slow
def test_calibration_known_values() -> None:
    """The temperature of scaled logits is recovered; coverage and reliability match values computed by hand."""
    rng = np.random.default_rng(2)
    true = rng.integers(0, 4, 1500)
    sharp = np.array([rng.gumbel(size=4) + 2.0 * np.eye(4)[t] for t in true])
    drawn = np.array([rng.choice(4, p=np.exp(row) / np.exp(row).sum()) for row in sharp])
    assert report.fit_temperature([row[None] * 3 for row in sharp], drawn) == pytest.approx(3, rel=0.1)
    p = np.array([[0.3, 0.7], [0.6, 0.4], [0.9, 0.1], [0.95, 0.05]])
    assert report.coverage(p, np.array([1, 0, 0, 1]), 0.7) == {"coverage": 0.75, "accuracy_when_sure": 0.6667}
    assert report.coverage(p, np.array([1, 0, 0, 1]), 1.0) == {"coverage": 0.0, "accuracy_when_sure": 0.0}
    assert report.calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1])) == 0
    assert report.reliability(p, np.array([1, 0, 0, 1])) == [
        {"tracks": 1, "confidence": 0.6, "accuracy": 1.0},
        {"tracks": 1, "confidence": 0.7, "accuracy": 1.0},
        {"tracks": 2, "confidence": 0.925, "accuracy": 0.5},
    ]
    assert [point["coverage"] for point in report.coverage_curve(p, true[:4])] == [1] * 7 + [0.75, 0.5, 0.5]
