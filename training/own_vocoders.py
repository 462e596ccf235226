"""Neural vocoders trained here, on the human speech of the training part: five architectures at 8 kHz.

istft    frames of a convolutional net give magnitude and phase of an inverse STFT, spectrogram critic (Vocos-like)
melgan   transposed convolutions and dilated residual blocks, with a waveform critic (MelGAN-like)
ar       a recurrent net writes 5 ms of waveform at a time from the 20 ms it wrote before (autoregressive, FARGAN-like)
flow     conditional flow matching of 10 ms frames of the waveform, eight Euler steps
nsf      pulses at the pitch and noise, shaped by two spectra that a convolutional net writes (neural source and filter)
and `smooth`, an autoencoder of the mel spectrogram with a narrow bottleneck (8 values every 40 ms): it stands for the
over-smooth spectra of acoustic models and neural codecs; copies of two clips in three pass through it first.

usage: python own_vocoders.py --kind smooth|istft|melgan|ar|flow|nsf --recipe recipe.yaml --bank DIR --out DIR --minutes 5
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn
from torch.nn import functional as F

from bank import Bank, to_rate
from calls import part_of

RATE_HZ, HOP, MELS = 8000, 80, 48
SECTION_FRAMES = 64


def mel_matrix(fft_size=512):
    to_mel = lambda hz: 2595 * np.log10(1 + hz / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(40), to_mel(3980), MELS + 2) / 2595) - 1)
    bins = np.arange(fft_size // 2 + 1) * RATE_HZ / fft_size
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.maximum(1e-4, np.minimum(rise, fall)).clip(0).astype(np.float32))


MATRIX = mel_matrix()


def magnitude(wave, size, hop):
    spectrum = torch.stft(wave, size, hop, window=torch.hann_window(size), return_complex=True)
    return torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-7)


def mel_of(wave):
    """[B, T] -> [B, MELS, T / HOP], log, roughly -2..2."""
    spectrum = magnitude(F.pad(wave, (216, 216), mode="reflect"), 512, HOP)[:, :, 3:-3]
    return (torch.log(MATRIX @ spectrum + 1e-3) + 1.0) * 0.5


class Block(nn.Module):
    """ConvNeXt in time."""

    def __init__(self, width, extra=0):
        super().__init__()
        self.depth = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.wide = nn.Conv1d(width, width * 2, 1)
        self.narrow = nn.Conv1d(width * 2, width, 1)
        self.extra = nn.Linear(extra, width) if extra else None

    def forward(self, inputs, extra=None):
        hidden = self.norm(self.depth(inputs))
        if self.extra is not None:
            hidden = hidden + self.extra(extra)[:, :, None]
        return inputs + self.narrow(F.gelu(self.wide(hidden)))


class Smooth(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv1d(MELS, 128, 5, padding=2), Block(128), nn.Conv1d(128, 128, 4, 4), Block(128),
                                  nn.Conv1d(128, 8, 1), nn.Tanh())
        self.up = nn.Sequential(nn.Conv1d(8, 128, 3, padding=1), Block(128), nn.ConvTranspose1d(128, 128, 4, 4),
                                Block(128), Block(128), nn.Conv1d(128, MELS, 1))

    def forward(self, mel):
        return self.up(self.down(mel))


class Istft(nn.Module):
    SIZE = 320

    def __init__(self, width=160):
        super().__init__()
        self.first = nn.Conv1d(MELS, width, 7, padding=3)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(5)])
        self.last = nn.Conv1d(width, (self.SIZE // 2 + 1) * 2, 1)

    def forward(self, mel):
        log, phase = self.last(self.blocks(self.first(mel))).chunk(2, 1)
        spectrum = torch.exp(log.clamp(-9, 5)) * torch.complex(torch.cos(phase), torch.sin(phase))
        spectrum = torch.cat([spectrum, spectrum[:, :, -1:]], 2)
        return torch.istft(spectrum, self.SIZE, HOP, window=torch.hann_window(self.SIZE), length=mel.shape[2] * HOP)


class Residual(nn.Module):
    def __init__(self, width, spread):
        super().__init__()
        self.body = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv1d(width, width, 3, padding=spread, dilation=spread),
                                  nn.LeakyReLU(0.2), nn.Conv1d(width, width, 1))

    def forward(self, inputs):
        return inputs + self.body(inputs)


class MelGan(nn.Module):
    def __init__(self):
        super().__init__()
        layers, width = [nn.Conv1d(MELS, 128, 7, padding=3)], 128
        for factor in (5, 4, 4):
            layers += [nn.LeakyReLU(0.2), nn.ConvTranspose1d(width, width // 2, factor * 2, factor,
                                                             padding=(factor + 1) // 2, output_padding=factor % 2)]
            width //= 2
            layers += [Residual(width, spread) for spread in (1, 3, 9)]
        self.body = nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, mel):
        return torch.tanh(self.body(mel))[:, 0]


class Autoregressive(nn.Module):
    PIECE, PAST = 40, 160

    def __init__(self, width=256):
        super().__init__()
        self.condition = nn.Sequential(nn.Conv1d(MELS, 128, 5, padding=2), Block(128), Block(128))
        self.entry = nn.Linear(128 + self.PAST + 16, width)
        self.cell = nn.GRUCell(width, width)
        self.leave = nn.Sequential(nn.Linear(width * 2, width), nn.Tanh(), nn.Linear(width, self.PIECE))

    def forward(self, mel):
        condition = self.condition(mel).repeat_interleave(2, 2)
        state = torch.zeros(len(mel), self.cell.hidden_size)
        past, pieces = torch.zeros(len(mel), self.PAST), []
        for step in range(condition.shape[2]):
            noise = torch.randn(len(mel), 16)
            entry = torch.tanh(self.entry(torch.cat([condition[:, :, step], past * 3, noise], 1)))
            state = self.cell(entry, state)
            piece = torch.tanh(self.leave(torch.cat([state, entry], 1)))
            past = torch.cat([past[:, self.PIECE :], piece], 1)
            pieces.append(piece)
        return torch.cat(pieces, 1)


class Flow(nn.Module):
    """Velocity field of frames of 80 samples, scaled so that speech has a deviation near one."""

    GAIN, STEPS = 8.0, 8

    def __init__(self, width=192):
        super().__init__()
        self.first = nn.Conv1d(MELS + HOP, width, 5, padding=2)
        self.blocks = nn.ModuleList([Block(width, 16) for _ in range(6)])
        self.last = nn.Conv1d(width, HOP, 1)

    def velocity(self, frames, mel, moment):
        waves = moment[:, None] * (2.0 ** torch.arange(8))[None]
        extra = torch.cat([torch.sin(waves), torch.cos(waves)], 1)
        hidden = self.first(torch.cat([frames, mel], 1))
        for block in self.blocks:
            hidden = block(hidden, extra)
        return self.last(hidden)

    def loss(self, mel, wave):
        target = wave.reshape(len(wave), -1, HOP).transpose(1, 2) * self.GAIN
        start, moment = torch.randn_like(target), torch.rand(len(wave))
        at = moment[:, None, None]
        velocity = self.velocity(start * (1 - at) + target * at, mel, moment)
        return ((velocity - (target - start)) ** 2).mean()

    def forward(self, mel):
        frames = torch.randn(len(mel), HOP, mel.shape[2])
        for step in range(self.STEPS):
            frames = frames + self.velocity(frames, mel, torch.full((len(mel),), step / self.STEPS)) / self.STEPS
        return frames.transpose(1, 2).reshape(len(mel), -1) / self.GAIN


class SourceFilter(nn.Module):
    """Harmonic-plus-noise model in the manner of arXiv 1904.12088 with the filters of an inverse STFT."""

    SIZE, HIGHEST_HZ = 320, 3900

    def __init__(self, width=160):
        super().__init__()
        self.first = nn.Conv1d(MELS + 2, width, 7, padding=3)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(5)])
        self.last = nn.Conv1d(width, (self.SIZE // 2 + 1) * 3, 1)

    def spectrum(self, wave, frames):
        return torch.stft(wave, self.SIZE, HOP, window=torch.hann_window(self.SIZE), return_complex=True)[:, :, :frames]

    def pulses(self, pitch, samples):
        """All harmonics of the pitch [B, T] in Hz below HIGHEST_HZ, in phase, of even power; silent where unvoiced."""
        voiced = F.interpolate((pitch > 0).float()[:, None], samples)[:, 0]
        steady = F.interpolate(pitch.clamp(min=50)[:, None], samples, mode="linear")[:, 0]
        count = torch.floor(self.HIGHEST_HZ / steady)
        start = torch.rand(len(pitch), 1, dtype=torch.float64) * 6.28
        phase = (torch.cumsum(steady.double() / RATE_HZ * 2 * np.pi, 1) + start).remainder(2 * np.pi).float()
        half = torch.sin(phase / 2)
        half = torch.where(half.abs() < 1e-3, torch.full_like(half, 1e-3), half)
        return (torch.sin((count + 0.5) * phase) / (2 * half) - 0.5) * torch.sqrt(2 / count) * 0.1 * voiced

    def forward(self, mel, pitch):
        frames, samples = mel.shape[2], mel.shape[2] * HOP
        facts = torch.stack([(pitch > 0).float(), torch.log2(pitch.clamp(min=50) / 150)], 1)
        tone, phase, hiss = self.last(self.blocks(self.first(torch.cat([mel, facts], 1)))).chunk(3, 1)
        filters = torch.exp(tone.clamp(-9, 7)) * torch.complex(torch.cos(phase), torch.sin(phase))
        whole = self.spectrum(self.pulses(pitch, samples), frames) * filters
        whole = whole + self.spectrum(torch.randn(len(mel), samples) * 0.1, frames) * torch.exp(hiss.clamp(-9, 7))
        whole = torch.cat([whole, whole[:, :, -1:]], 2)
        return torch.istft(whole, self.SIZE, HOP, window=torch.hann_window(self.SIZE), length=samples)


def pitch_of(wave, frames):
    """Hz every 10 ms, 0 where there is no voice (DIO and StoneMask of WORLD)."""
    import pyworld

    wave = wave.astype(np.float64)
    pitch, times = pyworld.dio(wave, RATE_HZ, frame_period=1000 * HOP / RATE_HZ)
    pitch = pyworld.stonemask(wave, pitch, times, RATE_HZ)
    return np.resize(pitch, frames).astype(np.float32) if len(pitch) >= frames else np.pad(
        pitch, (0, frames - len(pitch))).astype(np.float32)


class SpectrumCritic(nn.Module):
    def __init__(self):
        super().__init__()
        def tower():
            return nn.Sequential(nn.Conv2d(1, 16, (7, 3), (3, 1), (3, 1)), nn.LeakyReLU(0.2),
                                 nn.Conv2d(16, 24, (5, 3), (3, 1), (2, 1)), nn.LeakyReLU(0.2),
                                 nn.Conv2d(24, 32, (5, 3), (3, 2), (2, 1)), nn.LeakyReLU(0.2),
                                 nn.Conv2d(32, 1, 3, 1, 1))
        self.towers = nn.ModuleList([tower(), tower()])

    def forward(self, wave):
        return [tower(torch.log(magnitude(wave, size, size // 4) + 1e-3)[:, None])
                for size, tower in zip((512, 160), self.towers)]


class WaveCritic(nn.Module):
    def __init__(self):
        super().__init__()
        def tower():
            return nn.Sequential(nn.Conv1d(1, 16, 15, padding=7), nn.LeakyReLU(0.2),
                                 nn.Conv1d(16, 64, 21, 4, 10, groups=4), nn.LeakyReLU(0.2),
                                 nn.Conv1d(64, 128, 21, 4, 10, groups=16), nn.LeakyReLU(0.2),
                                 nn.Conv1d(128, 128, 5, 1, 2, groups=4), nn.LeakyReLU(0.2), nn.Conv1d(128, 1, 3, 1, 1))
        self.towers = nn.ModuleList([tower(), tower()])

    def forward(self, wave):
        return [self.towers[0](wave[:, None]), self.towers[1](F.avg_pool1d(wave[:, None], 4, 2, 1))]


def spectral_loss(made, wave):
    loss = (mel_of(made) - mel_of(wave)).abs().mean() * 2
    for size in (64, 256, 640):
        first, second = magnitude(made, size, size // 4), magnitude(wave, size, size // 4)
        loss = loss + (torch.log(first + 1e-2) - torch.log(second + 1e-2)).abs().mean() * 0.5
        loss = loss + (first - second).norm() / second.norm() * 0.5
    return loss


KINDS = {"smooth": Smooth, "istft": Istft, "melgan": MelGan, "ar": Autoregressive, "flow": Flow, "nsf": SourceFilter}
CRITICS = {"istft": SpectrumCritic, "melgan": WaveCritic, "ar": SpectrumCritic, "nsf": SpectrumCritic}
BATCH = {"smooth": 24, "istft": 16, "melgan": 12, "ar": 12, "flow": 24, "nsf": 16}
RATES = {"smooth": 2e-3, "istft": 1e-3, "melgan": 1e-3, "ar": 1e-3, "flow": 1e-3, "nsf": 1e-3}
PITCHED_CLIPS = 800  # of so many the pitch is found, which takes a minute


def speech_of(bank, recipe):
    """All human clips of the training part at 8 kHz, peak 0.9 as in the bank."""
    chosen = [clip for clip in bank.clips if clip["label"] == 0 and clip["count"] > 16000 * 0.9
              and part_of(clip, recipe) == "train"]
    return [(to_rate(bank.audio(clip), 16000, RATE_HZ) * 32767).astype(np.int16) for clip in chosen]


def draw_batch(clips, pitches, random, size):
    """Sections of clips [size, samples], and their pitch [size, frames] if `pitches` are given."""
    out, pitch = np.zeros((size, SECTION_FRAMES * HOP), np.float32), np.zeros((size, SECTION_FRAMES), np.float32)
    for row in range(size):
        number = random.integers(len(clips))
        clip = clips[number]
        first = random.integers(max(1, len(clip) // HOP - SECTION_FRAMES))
        piece = clip[first * HOP : (first + SECTION_FRAMES) * HOP]
        out[row, : len(piece)] = piece * (random.uniform(0.4, 1.0) / 32768)
        if pitches:
            found = pitches[number][first : first + SECTION_FRAMES]
            pitch[row, : len(found)] = found
    return torch.from_numpy(out), torch.from_numpy(pitch) if pitches else None


def step_losses(kind, model, critic, wave, pitch, warm):
    mel = mel_of(wave)
    if kind == "smooth":
        return (model(mel) - mel).abs().mean(), None
    if kind == "flow":
        return model.loss(mel, wave), None
    made = model(mel) if pitch is None else model(mel, pitch)
    loss = spectral_loss(made, wave)
    if warm:
        loss = loss + 0.3 * sum(((score - 1) ** 2).mean() for score in critic(made))
    return loss, made.detach()


def train(kind, clips, out, minutes, seed=1):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    model = KINDS[kind]()
    critic = CRITICS[kind]() if kind in CRITICS else None
    optimiser = torch.optim.AdamW(model.parameters(), RATES[kind], betas=(0.8, 0.99))
    judge = torch.optim.AdamW(critic.parameters(), 5e-4, betas=(0.8, 0.99)) if critic else None
    pitches = None
    if kind == "nsf":
        clips = [clips[number] for number in random.permutation(len(clips))[:PITCHED_CLIPS]]
        pitches = [pitch_of(clip / 32768, len(clip) // HOP) for clip in clips]
    began, step, losses = time.process_time(), 0, []
    while (done := (time.process_time() - began) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATES[kind] * min(1, (step + 1) / 50) * (1 - 0.9 * done)
        wave, pitch = draw_batch(clips, pitches, random, BATCH[kind])
        warm = critic is not None and done > 0.3
        loss, made = step_losses(kind, model, critic, wave, pitch, warm)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        if warm:
            verdict = sum(((score - 1) ** 2).mean() for score in critic(wave)) + sum(
                (score**2).mean() for score in critic(made))
            judge.zero_grad()
            verdict.backward()
            judge.step()
        losses.append(float(loss))
        step += 1
        if step % 50 == 0:
            left = minutes * (1 - done)
            print(f"{kind} step {step} loss {np.mean(losses[-50:]):.3f}, {left:.1f} CPU minutes left", flush=True)
    torch.save(model.state_dict(), out / f"{kind}.pt")
    (out / f"{kind}.json").write_text(json.dumps({
        "steps": step, "cpuMinutes": minutes, "parameters": sum(p.numel() for p in model.parameters()),
        "lossFirst": round(float(np.mean(losses[:20])), 4),
        "lossLast": round(float(np.mean(losses[-100:])), 4)}) + "\n")


def load(kind, folder):
    model = KINDS[kind]()
    model.load_state_dict(torch.load(Path(folder) / f"{kind}.pt"))
    return model.eval()


def start_copy(kind, folder, draw):
    """A function from 16 kHz samples to (8 kHz samples, rate, whether the mel passed the bottleneck)."""
    torch.set_num_threads(1)
    vocoder, smooth = load(kind, folder), load("smooth", folder)

    def copy(samples, speaker):
        wave = torch.from_numpy(to_rate(samples, 16000, RATE_HZ))
        wave = F.pad(wave, (0, -len(wave) % (HOP * 4)))[None]
        smoothed = bool(draw.random() < 0.67)
        with torch.no_grad():
            mel = mel_of(wave)
            inputs = [smooth(mel) if smoothed else mel]
            if kind == "nsf":  # every second one in another pitch, as voice conversion does it
                shift = draw.uniform(0.8, 1.3) if draw.random() < 0.5 else 1.0
                inputs.append(torch.from_numpy(pitch_of(wave[0].numpy(), mel.shape[2]) * np.float32(shift))[None])
            made = vocoder(*inputs)[0].numpy()
        return made, RATE_HZ, {"smoothed": smoothed}

    return copy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    destination = Path(options.out)
    destination.mkdir(parents=True, exist_ok=True)
    if not (destination / f"{options.kind}.pt").exists():
        human = speech_of(Bank(options.bank), yaml.safe_load(Path(options.recipe).read_text()))
        train(options.kind, human, destination, options.minutes)
