"""EER, AUC, bootstrap intervals over groups, and the fit of a calibration."""
import numpy as np


def equal_error_rate(human, synthetic):
    """Error where misses equal false alarms; higher score means synthetic."""
    scores = np.concatenate([human, synthetic])
    labels = np.concatenate([np.zeros(len(human)), np.ones(len(synthetic))])
    order = np.argsort(scores, kind="stable")
    labels = labels[order]
    missed = np.cumsum(labels) / max(1, labels.sum())
    alarms = 1 - np.cumsum(1 - labels) / max(1, (1 - labels).sum())
    place = int(np.argmin(np.abs(missed - alarms)))
    return (missed[place] + alarms[place]) / 2


def area_under_curve(human, synthetic):
    """Probability that a synthetic score is above a human one (ties count half)."""
    scores = np.concatenate([human, synthetic])
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = len(synthetic)
    return (ranks[len(human) :].sum() - positive * (positive + 1) / 2) / (positive * len(human))


def bootstrap_interval(human_groups, synthetic_groups, measure, rounds=200, seed=3):
    """95 % interval of measure(human, synthetic), groups (speakers, systems) drawn with replacement."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        drawn = []
        for groups in (human_groups, synthetic_groups):
            names = sorted(groups)
            drawn.append(np.concatenate([groups[names[i]] for i in random.integers(len(names), size=len(names))]))
        values.append(measure(*drawn))
    return [round(float(value), 4) for value in np.percentile(values, [2.5, 97.5])]


def fit_calibration(logits, labels, weights):
    """scale and offset that minimise the weighted cross entropy (Newton steps)."""
    inputs = np.stack([logits, np.ones_like(logits)], 1)
    theta = np.array([1.0, 0.0])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(inputs @ theta, -30, 30)))
        gradient = inputs.T @ (weights * (probability - labels))
        hessian = (inputs * (weights * probability * (1 - probability) + 1e-9)[:, None]).T @ inputs
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if np.abs(step).max() < 1e-7:
            break
    return float(theta[0]), float(theta[1])
