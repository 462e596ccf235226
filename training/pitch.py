"""The pitch of a call, as the autocorrelation of what a telephone lets through shows it.

Synthetic voices are not as high or low as the people are that are at hand (most diphone voices are men, most neural
ones here women), and a network takes that for a sign. Training therefore draws people of the same pitch; see train.py.
"""
import numpy as np

RATE_HZ, FRAME, SIZE, SHORTEST, LONGEST = 8000, 400, 1024, 20, 115  # lags of 70..400 Hz
FRAMES, LEAST_VOICED, PERIODIC = 120, 8, 0.6
LOUD_SHARE = 0.5  # of frames, the loudest, hold speech for certain

WINDOW = np.hanning(FRAME)
WINDOW_SHAPE = np.fft.irfft(np.abs(np.fft.rfft(WINDOW, SIZE)) ** 2)[: LONGEST + 1]


def median_pitch(samples):
    """Hz: the median over voiced frames of the louder half of 8 kHz samples; None with fewer than 8 of those."""
    count = len(samples) // FRAME
    if count < LEAST_VOICED:
        return None
    frames = samples[: count * FRAME].reshape(count, FRAME)
    loud = np.argsort((frames**2).sum(1))[int(count * (1 - LOUD_SHARE)) :]
    spectrum = np.fft.rfft(frames[np.sort(loud)[:: max(1, len(loud) // FRAMES)]] * WINDOW, SIZE)
    spectrum[:, 160:] = 0  # above 1250 Hz
    spectrum[:, :6] = 0
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, : LONGEST + 1]
    correlation = correlation / (correlation[:, :1] + 1e-9) / (WINDOW_SHAPE / WINDOW_SHAPE[0])
    lags = correlation[:, SHORTEST:LONGEST].argmax(1)
    periodic = correlation[np.arange(len(lags)), lags + SHORTEST] > PERIODIC
    return float(np.median(RATE_HZ / (lags[periodic] + SHORTEST))) if periodic.sum() >= LEAST_VOICED else None
