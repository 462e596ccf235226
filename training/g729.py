"""ITU-T G.729 Annex A there and back: 8 kbit/s, frames of 10 ms at 8 kHz.

By bcg729 (Debian's libbcg729-0), through ctypes: ffmpeg has only a decoder of G.729. Voice activity detection (Annex B)
is off, so every frame is sent. What comes out is 40 samples late: the look-ahead of the encoder.
"""
import ctypes

import numpy as np

LIBRARY = "libbcg729.so.0"
FRAME_SAMPLES, FRAME_BYTES = 80, 10
FRAME_PCM_BYTES = 2 * FRAME_SAMPLES


def load_library():
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as problem:
        raise SystemExit(f"G.729 needs {LIBRARY} (apt-get install libbcg729-0): {problem}") from problem
    octet, pointer = ctypes.c_uint8, ctypes.c_void_p
    signatures = {
        "initBcg729EncoderChannel": (pointer, [octet]),
        "bcg729Encoder": (None, [pointer, pointer, pointer, ctypes.POINTER(octet)]),
        "closeBcg729EncoderChannel": (None, [pointer]),
        "initBcg729DecoderChannel": (pointer, []),
        "bcg729Decoder": (None, [pointer, pointer, octet, octet, octet, octet, pointer]),
        "closeBcg729DecoderChannel": (None, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def round_trip(pcm, lost=None):
    """16-bit samples, encoded and decoded: whole frames, and one more for what is late.

    `lost` is true for every frame that does not arrive: the decoder conceals it as the standard says.
    """
    library = load_library()
    frames = -(-len(pcm) // FRAME_SAMPLES) + 1
    given = np.zeros(frames * FRAME_SAMPLES, np.int16)
    given[: len(pcm)] = pcm
    decoded = np.zeros_like(given)
    arrived = np.ones(frames, bool)
    if lost is not None:
        arrived[: len(lost)] = ~np.asarray(lost, bool)
    encoder, decoder = library.initBcg729EncoderChannel(0), library.initBcg729DecoderChannel()
    packet, size = (ctypes.c_uint8 * FRAME_BYTES)(), ctypes.c_uint8()
    try:
        for frame, there in enumerate(arrived.tolist()):
            offset = frame * FRAME_PCM_BYTES
            library.bcg729Encoder(encoder, given.ctypes.data + offset, packet, size)
            library.bcg729Decoder(decoder, packet if there else None, size if there else 0, not there, 0, 0,
                                  decoded.ctypes.data + offset)
    finally:
        library.closeBcg729EncoderChannel(encoder)
        library.closeBcg729DecoderChannel(decoder)
    return decoded
