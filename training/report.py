"""Prints the tables of docs/voice-evaluation.md from the files that evaluate.py and left_out.py wrote.

usage: python report.py --new run/metrics.json --old run/v1/metrics.json --left-out run/left-out/left_out.json
"""
import argparse
import json
from pathlib import Path


def percent(value):
    return f"{100 * value:.0f}"


def test_table(new, old, unheard):
    print("| on the test part, 4 s of speech | this version: EER (95 %) | the one before | its calls are called "
          "synthetic / human | the one before |\n|---|---|---|---|---|")
    tables = [report["metrics"]["test"]["bySpeechLength"]["4s"] for report in (new, old)]
    labels = [report["metrics"]["atShippedThresholds"][0]["labelsByEngine"] for report in (new, old)]
    for engine in sorted(tables[0], key=lambda name: (name != "all", name not in unheard, name)):
        cells = [f"{percent(t[engine]['eer'])} % ({percent(t[engine]['eer95'][0])}-{percent(t[engine]['eer95'][1])})"
                 if engine in t else "" for t in tables]
        said = [f"{percent(row[engine]['synthetic'])} % / {percent(row[engine]['human'])} %" if engine in row else ""
                for row in labels]
        name = engine if engine == "all" else f"{engine}{' (never heard)' if engine in unheard else ''}"
        print(f"| {name} | {cells[0]} | {cells[1]} | {said[0]} | {said[1]} |")


def length_table(new):
    table = new["metrics"]["test"]["bySpeechLength"]
    print("\n| length of speech | " + " | ".join(table) + " |\n|---" + "|---" * len(table) + "|")
    for engine in ("all", "piper", "openjtalk"):
        print(f"| {engine} | " + " | ".join(f"{percent(rows[engine]['eer'])} %" for rows in table.values()) + " |")
    print("\n| channel, 4 s | EER of all |\n|---|---|")
    for name, rows in new["metrics"]["test"]["byCondition4s"].items():
        if "all" in rows:
            print(f"| {name} | {percent(rows['all']['eer'])} % |")


def alarm_table(new, old):
    shipped = [report["metrics"]["atShippedThresholds"][0] for report in (new, old)]
    for row in new["metrics"]["atShippedThresholds"]:
        print(f"\n{row['part']}: {row['falseAlarmsPerHour']} false alarms an hour on {row['humanSpeechHours']} h of "
              f"net speech in {row['humanCalls']} calls")
    print(f"the version before on the same test calls: {shipped[1]['falseAlarmsPerHour']}")
    for key in ("Language", "Package", "Speaker"):
        print(f"\n| {key.lower()} | minutes of speech | false alarms an hour | the version before |\n|---|---|---|---|")
        for name, row in shipped[0][f"falseAlarmsBy{key}"].items():
            before = shipped[1][f"falseAlarmsBy{key}"][name]["perHour"]
            print(f"| {name} | {row['minutes']} | {row['perHour']} | {before} |")


def novelty_table(new):
    measured = new["metrics"].get("novelty", {})
    print("\n| audio | windows of 4 s left out | AUROC against people |\n|---|---|---|")
    for kind, row in measured.get("unfamiliar4s", {}).items():
        print(f"| {kind} | {percent(row['shareAbove'])} % | {row['auroc']:.2f} |")
    shares = measured.get("shareAbove", {}).get("test", {}).get("4s", {})
    for engine, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        print(f"| test: {engine} | {100 * share:.1f} % | {measured['testAurocAgainstPeople4s'].get(engine, '')} |")


def left_out_table(rows):
    print("\n| left out | family | EER (95 %) | detection at 1 FA/h (95 %) | windows |\n|---|---|---|---|---|")
    for engine, row in sorted(rows.items(), key=lambda pair: (not pair[1]["family"].startswith("neural"), pair[0])):
        low, high = map(percent, row["eer95"])
        print(f"| {engine} | {row['family']} | {percent(row['eer'])} % ({low}-{high}) | "
              f"{percent(row['detectionAt1PerHour'])} % ({percent(row['detection95'][0])}-"
              f"{percent(row['detection95'][1])}) | {row['windowsSynthetic']} |")
    neural = [row["eer"] for row in rows.values() if row["family"].startswith("neural")]
    print(f"\nMean EER of {len(neural)} neural families: {100 * sum(neural) / len(neural):.1f} %; "
          f"worst {percent(max(neural))} %.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new", required=True)
    parser.add_argument("--old", required=True)
    parser.add_argument("--left-out", nargs="*", default=[])
    parser.add_argument("--never-heard", nargs="*", default=["piper", "openjtalk", "gnuspeech", "flow"])
    options = parser.parse_args()
    after, before = (json.loads(Path(path).read_text()) for path in (options.new, options.old))
    test_table(after, before, options.never_heard)
    length_table(after)
    alarm_table(after, before)
    novelty_table(after)
    if options.left_out:
        rows = [json.loads(Path(path).read_text()) for path in options.left_out]
        left_out_table({engine: row for table in rows for engine, row in table.items()})
