#!/bin/sh
# All steps in order, each resumable: sh training/run.sh WORK_DIR. Sets nothing up; see README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mkdir -p "$1" && cd "$1" && pwd)
py="nice -n 15 python3"
recipe=$here/recipe.yaml
value() { $py -c "import yaml,sys; d=yaml.safe_load(open('$recipe'))
for k in sys.argv[1].split('.'): d=d[k]
print(d if not isinstance(d, dict) else ' '.join(f'{k}={v}' for k, v in d.items()))" "$1"; }

cd "$here"
$py fetch_packages.py --recipe recipe.yaml --packages "$work/packages"
$py human_speech.py --packages "$work/packages" --bank "$work/bank"
for pair in $(value generate.classic); do
  $py classic_voices.py --engine "${pair%=*}" --seconds "${pair#*=}" --packages "$work/packages" --bank "$work/bank"
done
for pair in $(value generate.neural); do
  $py neural_voices.py --engine "${pair%=*}" --seconds "${pair#*=}" --packages "$work/packages" --bank "$work/bank"
done
for pair in $(value vocoders); do
  $py own_vocoders.py --kind "${pair%=*}" --minutes "${pair#*=}" --recipe recipe.yaml --bank "$work/bank" \
    --out "$work/vocoders"
done
for part in Train Held; do
  speakers=$($py list_speakers.py --recipe recipe.yaml --bank "$work/bank" --part "$part")
  lower=$(echo "$part" | tr 'TH' 'th')
  for pair in $(value "generate.copies$part"); do
    kind=${pair%=*}
    model=$work/vocoders
    [ "$kind" != hifigan ] || model=$work/packages/$(value generate.hifiganFile)
    $py vocoder_copies.py --kind "$kind" --seconds "${pair#*=}" --speakers "$speakers" --bank "$work/bank" \
      --name "copies-$kind-$lower" --model "$model"
  done
done
for part in train dev test; do
  for pack in main own; do
    name=$part-$pack
    [ -e "$work/packs/$name.json" ] ||
      $py calls.py --recipe recipe.yaml --bank "$work/bank" --out "$work/packs" --part $part --pack $pack
    [ -e "$work/packs/$name/features.json" ] || nice -n 15 node ../dist/src/training/dump-voice-features.js \
      --pack "$work/packs/$name.ul" --index "$work/packs/$name.json" --out "$work/packs/$name"
  done
done
[ -e "$work/run/done" ] ||
$py train.py --recipe recipe.yaml --features "$work/packs" --facts "$work/packs" --out "$work/run"
touch "$work/run/done"
$py evaluate.py --model "$work/run/best.pt" --recipe recipe.yaml --features "$work/packs" --facts "$work/packs" --out "$work/run"
$py guards.py --features "$work/packs" --facts "$work/packs" --out "$work/run/guards.json"
export_model() { $py export_model.py --model "$work/run/calibrated.pt" --metrics "$work/run/metrics.json" \
  --guards "$work/run/guards.json" --bank "$work/bank" --recipe recipe.yaml --models ../models "$@"; }
export_model
(cd .. && node training/measure-cost.mjs "models/voice/$(cd training && value version)") > "$work/run/cost.json"
$py left_out.py --recipe recipe.yaml --features "$work/packs" --facts "$work/packs" --out "$work/left-out" \
  --shipped "$work/run/best.pt"
export_model --cost "$work/run/cost.json" --left-out "$work/left-out/left_out.json"
