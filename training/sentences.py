"""Text for the synthesisers: the dialogues of Fish Fillets NG (Debian package fillets-ng-data), eleven languages."""
import random
import re
from pathlib import Path

PATTERN = re.compile(r'dialogId\("[^"]*",\s*"[^"]*",\s*"([^"]+)"\)')


def load_sentences(packages, language, shortest=25, longest=160):
    """Distinct sentences of a language in a fixed shuffled order."""
    found = []
    root = Path(packages) / "fillets-ng-data" / "usr/share/games/fillets-ng/script"
    for path in sorted(root.glob(f"*/dialogs_{language}.lua")):
        for text in PATTERN.findall(path.read_text(errors="replace")):
            text = re.sub(r"\s+", " ", text.replace("\\", "").replace("’", "'")).strip()
            if shortest <= len(text) <= longest:
                found.append(text)
    distinct = sorted(set(found))
    random.Random(language).shuffle(distinct)
    return distinct
