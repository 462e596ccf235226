"""The telephone channel: one draw of it is a plain dictionary, so that a human call and its vocoded copy can share one.

Order: room, tilt and band of the handset, noise (hiss, street, voices), level and clipping, codec round trip or noise
suppression, A-law, packet loss, mu-law.
"""
import subprocess

import numpy as np
from scipy.signal import butter, fftconvolve, firwin2, sosfilt

import g729

RATE_HZ = 8000
CODECS = {  # name -> (ffmpeg encoder arguments, container, rate of the codec); None: not by ffmpeg
    "gsm": (["-c:a", "libgsm"], "gsm", 8000),
    "amr-low": (["-c:a", "libopencore_amrnb", "-b:a", "5.9k"], "amr", 8000),
    "amr-high": (["-c:a", "libopencore_amrnb", "-b:a", "12.2k"], "amr", 8000),
    "opus-low": (["-c:a", "libopus", "-b:a", "8k", "-application", "voip"], "ogg", 8000),
    "opus-high": (["-c:a", "libopus", "-b:a", "14k", "-application", "voip"], "ogg", 8000),
    "g726": (["-c:a", "g726", "-b:a", "32k"], "wav", 8000),
    "g723": (["-c:a", "g723_1", "-b:a", "6.3k"], "wav", 8000),  # G.723.1: CELP-like, older than G.729
    "speex": (["-c:a", "libspeex", "-b:a", "8k"], "ogg", 8000),  # CELP
    "denoised": (["-af", "afftdn=nr=18:nf=-35", "-c:a", "pcm_s16le"], "wav", 8000),  # a caller's noise suppression
    "g729": None,  # G.729 Annex A, 8 kbit/s: g729.py
    "amr-wb": (["-c:a", "libvo_amrwbenc", "-b:a", "12.65k"], "amr", 16000),  # what EVS speaks in its interoperable mode
}
STEADY = dict(noise_kind="coloured", a_law=False)
CONDITIONS = {  # fixed conditions of the evaluation; None: drawn as in training
    "drawn": None,
    "clean": dict(noise_db=40, codec="none", loss=0.0, room_ms=0, **STEADY),
    "noise-12db": dict(noise_db=12, codec="none", loss=0.0, room_ms=0, **STEADY),
    "babble-12db": dict(noise_db=12, codec="none", loss=0.0, room_ms=0, noise_kind="babble", a_law=False),
    "street-12db": dict(noise_db=12, codec="none", loss=0.0, room_ms=0, noise_kind="street", a_law=False),
    "g723": dict(noise_db=30, codec="g723", loss=0.0, room_ms=0, **STEADY),
    "denoised": dict(noise_db=20, codec="denoised", loss=0.0, room_ms=0, **STEADY),
    "gsm": dict(noise_db=30, codec="gsm", loss=0.0, room_ms=0, **STEADY),
    "amr-low": dict(noise_db=30, codec="amr-low", loss=0.0, room_ms=0, **STEADY),
    "opus-low": dict(noise_db=30, codec="opus-low", loss=0.0, room_ms=0, **STEADY),
    "loss-5pct": dict(noise_db=30, codec="none", loss=0.05, room_ms=0, **STEADY),
    "room": dict(noise_db=30, codec="none", loss=0.0, room_ms=200, **STEADY),
}
ADDED_CONDITIONS = {  # came after the test part was drawn: in packs of their own, or its random stream would be another
    "g729": dict(noise_db=30, codec="g729", loss=0.0, room_ms=0, **STEADY),
    "amr-wb": dict(noise_db=30, codec="amr-wb", loss=0.0, room_ms=0, **STEADY),
    "g729-loss": dict(noise_db=30, codec="g729", loss=0.03, room_ms=0, **STEADY),  # lost behind the codec, as G.711
}
FIRST_CODECS = ["gsm", "amr-low", "amr-high", "opus-low", "opus-high", "g726"]
BABBLE_VOICES, BABBLE_SECONDS = 6, 30


def draw_channel(random, fixed=None, wide=True):
    """All values of one channel; `fixed` overrides some of them.

    Not `wide` is what version 2 was measured through: fewer codecs, no voices, street or A-law. The test part is fixed, so
    its drawn channels stay that; what came later are conditions of their own there.
    """
    codecs = list(CODECS) if wide else FIRST_CODECS
    kinds = ["coloured"] * 8 + (["babble", "street"] if wide else [])
    draw = {
        "seed": int(random.integers(1 << 31)),
        "level_db": random.uniform(-30, -10),
        "low_hz": random.uniform(60, 330),
        "high_hz": random.uniform(3000, 3900),
        "tilt_db": random.uniform(-5, 5, 6).round(2).tolist(),
        "noise_db": random.uniform(15, 45) if random.random() < 0.85 else random.uniform(8, 15),
        "noise_slope": random.uniform(-2, 0.5),
        "noise_kind": str(random.choice(kinds)),
        "room_ms": float(random.choice([0, 0, 0, 0, 0, 0, 0, 60, 120, 250])),
        "drive_db": float(random.choice([0, 0, 0, 0, 0, 0, 0, 0, 6, 12])),
        "codec": str(random.choice(["none"] * 9 + codecs)),
        "loss": float(random.choice([0, 0, 0, 0, 0, 0.01, 0.03, 0.08])),
        "loss_repeat": bool(random.random() < 0.5),
        "second_mulaw": bool(random.random() < 0.2),
        "a_law": bool(random.random() < (0.1 if wide else 0)),
    }
    return {**draw, **(fixed or {})}


def coloured_noise(random, count, slope):
    """Noise of power ~ f^slope with deviation one."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequency = np.maximum(np.arange(len(spectrum)), 8 * len(spectrum) / 4000 + 1)
    noise = np.fft.irfft(spectrum * frequency ** (slope / 2), count)
    return noise / (noise.std() + 1e-9)


def street_noise(random, count):
    """Low noise that swells as traffic passes, with a few short knocks; deviation about one."""
    swell = np.interp(np.arange(count), np.linspace(0, count, count // RATE_HZ + 3),
                      10 ** (random.uniform(-12, 6, count // RATE_HZ + 3) / 20))
    noise = coloured_noise(random, count, -2.5) * swell
    for start in random.integers(max(1, count - 800), size=count // (3 * RATE_HZ)):
        knock = random.standard_normal(800) * np.exp(-np.arange(800) / 120)
        noise[start : start + 800] += knock[: len(noise[start : start + 800])] * random.uniform(1, 4)
    return noise / (noise.std() + 1e-9)


def babble_line(pieces):
    """Many voices at once: pieces of speech laid over each other; deviation one."""
    line = np.zeros(BABBLE_SECONDS * RATE_HZ)
    for number, piece in enumerate(pieces):
        start = number * len(line) // max(1, len(pieces)) * BABBLE_VOICES
        where = (start + np.arange(len(piece))) % len(line)
        line[where] += piece / (active_rms(piece) + 1e-6)
    return line / (line.std() + 1e-9)


def noise_of(random, count, draw, babble):
    if draw["noise_kind"] == "street":
        return street_noise(random, count)
    if draw["noise_kind"] == "babble":
        return np.roll(babble, int(random.integers(len(babble))))[:count]
    return coloured_noise(random, count, draw["noise_slope"])


def active_rms(samples):
    frames = samples[: len(samples) // 80 * 80].reshape(-1, 80)
    energy = (frames**2).mean(1)
    loud = energy > np.percentile(energy, 95) * 1e-3
    return float(np.sqrt(energy[loud].mean() + 1e-12))


def before_codec(samples, draw, babble):
    """Room, tilt, band, noise, level, clipping; `babble` is a line of many voices, longer than the call."""
    random = np.random.default_rng(draw["seed"])
    if draw["room_ms"] > 0:
        count = int(draw["room_ms"] * 8 * 1.5)
        tail = random.standard_normal(count) * np.exp(-6.9 * np.arange(count) / (draw["room_ms"] * 8))
        tail[0] = 0
        tail *= random.uniform(0.3, 0.9) / np.sqrt((tail**2).sum())
        tail[0] = 1.0
        samples = fftconvolve(samples, tail)[: len(samples)]
    points = np.array([0, 300, 800, 1500, 2500, 3500, 4000]) / 4000
    gains = 10 ** (np.concatenate([draw["tilt_db"][:1], draw["tilt_db"]]) / 20)
    samples = fftconvolve(samples, firwin2(65, points, gains), mode="same")
    samples = sosfilt(butter(2, [draw["low_hz"], draw["high_hz"]], "band", fs=RATE_HZ, output="sos"), samples)
    samples = samples / active_rms(samples)
    noise = noise_of(random, len(samples), draw, babble)
    samples = samples + noise * 10 ** (-draw["noise_db"] / 20)
    if draw["drive_db"] > 0:
        limit = 3.0 * 10 ** (-draw["drive_db"] / 20)
        samples = np.clip(samples, -limit, limit)
    return np.clip(samples * 10 ** (draw["level_db"] / 20), -1, 1).astype(np.float32)


def codec_round_trip(samples, codec, folder, table=CODECS):
    """Many calls laid end to end through a codec and back; aligned by cross-correlation."""
    pcm = (samples * 32767).astype("<i2")
    decoded = g729.round_trip(pcm) if codec == "g729" else ffmpeg_round_trip(pcm, table[codec], folder)
    out = decoded.astype(np.float32) / 32768
    span = min(len(samples), len(out), 160000)
    match = fftconvolve(out[:span], samples[:span][::-1])[span - 1 : span + 800]
    out = out[int(np.argmax(np.abs(match))) :]
    return np.pad(out, (0, max(0, len(samples) - len(out))))[: len(samples)]


def ffmpeg_round_trip(pcm, codec, folder):
    """One ffmpeg process there and one back."""
    encoder, container, rate_hz = codec
    path = f"{folder}/c.{container}"
    raw = ["-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-"]
    quiet = ["ffmpeg", "-y", "-loglevel", "error"]
    subprocess.run([*quiet, *raw, "-ar", str(rate_hz), *encoder, path], input=pcm.tobytes(), check=True)
    back = [*quiet, "-i", path, "-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-"]
    return np.frombuffer(subprocess.run(back, capture_output=True, check=True).stdout, "<i2")


def after_codec(samples, draw):
    """Packet loss; returns mu-law bytes."""
    random = np.random.default_rng(draw["seed"] + 1)
    out = mulaw_decode(mulaw_encode(samples)) if draw["second_mulaw"] else samples.copy()
    if draw["a_law"]:
        out = alaw_round_trip(out)
    if draw["loss"] > 0:
        for packet in np.flatnonzero(random.random(len(out) // 160) < draw["loss"]):
            start = packet * 160
            lost = out[start - 160 : start] * 0.7 if draw["loss_repeat"] and start else 0
            out[start : start + 160] = lost
    return mulaw_encode(out)


def mulaw_encode(samples):
    """ITU-T G.711 mu-law of samples in -1..1 (32768 = full scale of 16 bit)."""
    pcm = np.clip(np.round(samples * 32768), -32635, 32635).astype(np.int32)
    sign = np.where(pcm < 0, 0x80, 0)
    magnitude = np.abs(pcm) + 132
    exponent = np.clip(np.floor(np.log2(magnitude)).astype(np.int32) - 7, 0, 7)
    mantissa = (magnitude >> (exponent + 3)) & 15
    return (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)


def alaw_round_trip(samples):
    """ITU-T G.711 A-law and back: 13 segments, the two lowest linear."""
    magnitude = np.clip(np.round(np.abs(samples) * 4096), 0, 4095).astype(np.int32)  # 12 bits and a sign
    segment = np.clip(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 1, 7)
    step = np.where(magnitude < 64, 1, segment)
    decoded = ((magnitude >> step) << step) + (1 << (step - 1))
    return (np.sign(samples) * np.minimum(decoded, 4095) / 4096).astype(np.float32)


def mulaw_decode(octets):
    value = ~octets.astype(np.int32) & 0xFF
    magnitude = ((((value & 15) << 3) + 132) << ((value >> 4) & 7)) - 132
    return (np.where(value & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)
