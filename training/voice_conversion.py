"""Voice conversion trained here, on the people of the training part: what one person says, in another's voice.

An autoencoder of the mel spectrogram of own_vocoders.py in the manner of AdaIN-VC (Chou and Lee 2019): instance
normalisation and a narrow bottleneck (16 values every 20 ms) take the person out of the content, and a learnt vector
for each person brings one in. While it learns, the content is heard with warped frequencies and other gains of the
bands, so that formants and colour have to come from that vector, the harmonics from the pitch and the loudness from a
contour that are given beside it. A conversion takes another person's vector and moves the pitch to that person's mean
and spread; the vocoder `nsf` of own_vocoders.py makes the waveform.

usage: python voice_conversion.py --recipe recipe.yaml --bank DIR --out DIR --minutes 4     (DIR has nsf.pt in the end)
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
from own_vocoders import HOP, MELS, RATE_HZ, Block, load, mel_of, pitch_of

LEAST_SECONDS, CLIPS_EACH = 150, 24  # a person needs so much speech to be a target; of so many clips the pitch is found
FRAMES, BATCH, RATE, PERSON = 128, 16, 2e-3, 32
WARP, TILT = (0.84, 1.19), 0.25  # of what the content is heard through


class Converter(nn.Module):
    def __init__(self, people, width=128, content=16):
        super().__init__()
        norm = lambda: nn.InstanceNorm1d(width)
        self.listen = nn.Sequential(nn.InstanceNorm1d(MELS), nn.Conv1d(MELS, width, 5, padding=2), Block(width), norm(),
                                    nn.Conv1d(width, width, 4, 2, 1), nn.GELU(), Block(width), norm(),
                                    nn.Conv1d(width, content, 1), nn.Tanh())
        self.people = nn.Embedding(people, PERSON)
        self.open = nn.ConvTranspose1d(content, width, 4, 2, 1)
        self.prosody = nn.Conv1d(3, width, 5, padding=2)
        self.blocks = nn.ModuleList([Block(width, PERSON) for _ in range(5)])
        self.colour = nn.Linear(PERSON, MELS * 2)
        self.last = nn.Conv1d(width, MELS, 1)

    def forward(self, heard, pitch, loudness, person):
        """heard [B, MELS, T]: whose words; pitch in Hz and loudness [B, T]: how; person [B]: in whose voice."""
        who = self.people(person)
        how = torch.stack([(pitch > 0).float(), torch.log2(pitch.clamp(min=50) / 150), loudness], 1)
        hidden = self.open(self.listen(heard)) + self.prosody(how)
        for block in self.blocks:
            hidden = block(hidden, who)
        gain, offset = self.colour(who)[:, :, None].chunk(2, 1)
        return self.last(hidden) * (1 + gain) + offset + loudness[:, None]


def warped(mel):
    """Each row's bands moved up or down by its own factor, with a slow gain over the bands."""
    rows = len(mel)
    scale = torch.empty(rows, 1).uniform_(*WARP)
    where = (torch.arange(MELS)[None] * scale).clamp(max=MELS - 1.001)
    low = where.long()
    part = (where - low)[:, :, None]
    pick = lambda bands: torch.gather(mel, 1, bands[:, :, None].expand(-1, -1, mel.shape[2]))
    gain = F.interpolate(torch.randn(rows, 1, 6) * TILT, MELS, mode="linear", align_corners=True)[:, 0]
    return pick(low) * (1 - part) + pick(low + 1) * part + gain[:, :, None]


def voices_of(bank, recipe, random):
    """Person -> clips of the training part as 8 kHz samples with the pitch of every frame."""
    clips = {}
    for clip in bank.clips:
        if clip["label"] == 0 and clip["count"] > 16000 * 0.9 and part_of(clip, recipe) == "train":
            clips.setdefault(clip["speaker"], []).append(clip)
    voices = {}
    for name, own in sorted(clips.items()):
        if sum(clip["count"] for clip in own) < LEAST_SECONDS * 16000:
            continue
        voices[name] = []
        for number in random.permutation(len(own))[:CLIPS_EACH]:
            wave = to_rate(bank.audio(own[number]), 16000, RATE_HZ)[: 8 * RATE_HZ]
            voices[name].append((wave, pitch_of(wave, len(wave) // HOP)))
    return voices


def octaves(pitches):
    """Mean and deviation of the pitch in octaves above 1 Hz, over voiced frames; None where hardly any is voiced."""
    voiced = np.log2(pitches[pitches > 0])
    return (float(np.median(voiced)), float(voiced.std())) if len(voiced) >= 20 else None


def draw_batch(voices, random):
    names = list(voices)
    wave, pitch = np.zeros((BATCH, FRAMES * HOP), np.float32), np.zeros((BATCH, FRAMES), np.float32)
    person = random.integers(len(names), size=BATCH)
    for row, number in enumerate(person):
        samples, found = voices[names[number]][random.integers(len(voices[names[number]]))]
        first = random.integers(max(1, len(found) - FRAMES))
        piece, tones = samples[first * HOP : (first + FRAMES) * HOP], found[first : first + FRAMES]
        wave[row, : len(piece)], pitch[row, : len(tones)] = piece * random.uniform(0.4, 1.0), tones
    return torch.from_numpy(wave), torch.from_numpy(pitch), torch.from_numpy(person)


def train(voices, out, minutes, seed=1):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = Converter(len(voices))
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.8, 0.99))
    began, step, losses = time.process_time(), 0, []
    while (done := (time.process_time() - began) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * (1 - 0.9 * done)
        wave, pitch, person = draw_batch(voices, random)
        mel = mel_of(wave)
        made = model(warped(mel), pitch, mel.mean(1), person)
        edges = lambda lines: (lines[:, 1:] - lines[:, :-1])  # harmonics and formants, not only the level
        loss = (made - mel).abs().mean() + (edges(made) - edges(mel)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        losses.append(float(loss))
        step += 1
        if step % 50 == 0:
            left = minutes * (1 - done)
            print(f"conversion step {step} loss {np.mean(losses[-50:]):.3f}, {left:.1f} CPU minutes left", flush=True)
    torch.save(model.state_dict(), out / "conversion.pt")
    tones = {name: octaves(np.concatenate([pitch for _, pitch in clips])) for name, clips in voices.items()}
    (out / "conversion.json").write_text(json.dumps({
        "steps": step, "cpuMinutes": minutes, "parameters": sum(p.numel() for p in model.parameters()),
        "lossFirst": round(float(np.mean(losses[:20])), 4), "lossLast": round(float(np.mean(losses[-100:])), 4),
        "people": tones}) + "\n")


def start_copy(folder, draw):
    """A function from 16 kHz samples and their speaker to (8 kHz samples, rate, the person whose voice it is)."""
    torch.set_num_threads(1)
    people = json.loads((Path(folder) / "conversion.json").read_text())["people"]
    names = list(people)
    model, vocoder = Converter(len(names)), load("nsf", folder)
    model.load_state_dict(torch.load(Path(folder) / "conversion.pt"))
    model.eval()

    def copy(samples, speaker):
        wave = to_rate(samples, 16000, RATE_HZ)
        wave = np.pad(wave, (0, -len(wave) % (HOP * 4)))
        target = str(draw.choice([name for name in names if name != speaker]))
        pitch = pitch_of(wave, len(wave) // HOP)
        if (own := octaves(pitch)) is not None:
            mean, spread = people[target]
            moved = (np.log2(np.maximum(pitch, 50)) - own[0]) * np.clip(spread / own[1], 0.5, 2)
            pitch = np.where(pitch > 0, 2 ** np.clip(moved + mean, 5.8, 9), 0).astype(np.float32)
        with torch.no_grad():
            mel, pitch = mel_of(torch.from_numpy(wave)[None]), torch.from_numpy(pitch)[None]
            mel = model(mel, pitch, mel.mean(1), torch.tensor([names.index(target)]))
            made = vocoder(mel, pitch)[0].numpy()
        return made, RATE_HZ, {"target": target}

    return copy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=4)
    options = parser.parse_args()
    destination = Path(options.out)
    destination.mkdir(parents=True, exist_ok=True)
    if not (destination / "conversion.pt").exists():
        torch.set_num_threads(1)
        recipe = yaml.safe_load(Path(options.recipe).read_text())
        train(voices_of(Bank(options.bank), recipe, np.random.default_rng(1)), destination, options.minutes)
