/**
 * Where everything lies in the kernels' memory. One instance has one fixed memory, given by the host and never grown:
 * tables and scratch below SLOTS, shared by all tracks, then one slot per track whose layout belongs to the host
 * (src/features/voice-front-end.ts). Addresses are multiples of 16, so that aligned v128 accesses never cross a line.
 *
 *        0 ┌──────────────────────────────────────────────┐
 *          │ compiler's own statics (none today)          │
 *   0x0400 │ TEXT      base64 text of one message         │ 10,688 + 64 slack
 *   0x2E00 │ MEDIA     fields of one message, then the   │
 *          │           stretches of text between them     │    448
 *   0x3000 │ BYTES     G.711 bytes decoded last           │  8,000 + 192 slack
 *   0x5000 │ A_LAW     256 x f32                          │  1,024
 *   0x5400 │ TAPS      interpolator, 2 x 40 x f32         │    320
 *   0x5580 │ GOERTZEL  8 coefficients, 8 results          │     64
 *   0x5600 │ EDGES     bin edges of the gate's 6 sub-bands│     28
 *   0x5680 │ KEPT      5 bins of 4 lanes, zeros at rest    │     80
 *   0x5800 │ WINDOW    512 x f32                          │  2,048
 *   0x6000 │ TWIDDLE   256 x (cos, -sin) f32, then the    │
 *          │           257 of the real split              │  4,104
 *   0x7400 │ BANDS     128 x (first bin, bins) i32        │  1,024
 *   0x7800 │ WEIGHTS   1,024 x f32, band after band       │  4,096
 *   0x8800 │ WORK_A    512 x v128, one lane a frame       │  8,192
 *   0xA800 │ WORK_B    the same, the other side of the FFT│  8,192
 *   0xC800 │ POWER     257 x v128                         │  4,112 + slack
 *   0xDA00 │ STATS     64 frames x 12 x f32               │  3,072
 *   0xEA00 │ SPEECH    64 x f32                           │    256
 *   0xEC00 │ NARROW    8 kHz samples: history, hop, slack │ 21,504
 *  0x14000 │ WIDE      16 kHz samples                     │ 40,960
 *  0x1E000 │ FEATURES  128 rows x 128 bands x f32         │ 65,536
 *  0x2E000 │ DCT       128 x 128 x f32, cepstra only     │ 65,536
 *  0x3E000 │ SLOTS     host's, one per track              │
 *          └──────────────────────────────────────────────┘
 */
export const TEXT: i32 = 0x400
export const MEDIA: i32 = 0x2e00
export const BYTES: i32 = 0x3000
export const A_LAW: i32 = 0x5000
export const TAPS: i32 = 0x5400
export const GOERTZEL: i32 = 0x5580
export const EDGES: i32 = 0x5600
export const KEPT: i32 = 0x5680
export const WINDOW: i32 = 0x5800
export const TWIDDLE: i32 = 0x6000
export const BANDS: i32 = 0x7400
export const WEIGHTS: i32 = 0x7800
export const WORK_A: i32 = 0x8800
export const WORK_B: i32 = 0xa800
export const POWER: i32 = 0xc800
export const STATS: i32 = 0xda00
export const SPEECH: i32 = 0xea00
export const NARROW: i32 = 0xec00
export const WIDE: i32 = 0x14000
export const FEATURES: i32 = 0x1e000
export const DCT: i32 = 0x2e000
export const SLOTS: i32 = 0x3e000

export const TEXT_CHARS_MAX: i32 = 10688
export const BYTES_MAX: i32 = 8000
export const FFT_MAX: i32 = 512
export const BANDS_MAX: i32 = 128
export const WEIGHTS_MAX: i32 = 1024
export const FEATURE_ROWS_MAX: i32 = 128
export const FRAMES_MAX: i32 = 60
export const NARROW_SAMPLES_MAX: i32 = 5376
export const WIDE_SAMPLES_MAX: i32 = 10240
export const STATS_PER_FRAME: i32 = 12
export const TAPS_PER_PHASE: i32 = 40
