#!/usr/bin/env python3
"""Checks an OCI archive: image-check.py ARCHIVE [FOLDER]. Unpacks its layers into FOLDER if that is given.

Every blob must have the digest and the size that its reference says, and every blob must be referenced.
"""

import hashlib
import json
import sys
import tarfile
import zlib

MOST_COMPRESSED = 40 * 10**6


def fail(reason):
    sys.exit(f"image-check.py: {reason}")


def inflate(data):
    decoder = zlib.decompressobj(wbits=31)
    return decoder.decompress(data) + decoder.flush()


def main(archive, folder=None):
    with tarfile.open(archive) as tar:
        files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}
    for name in ("oci-layout", "index.json"):
        if name not in files:
            fail(f"{name} is missing")
    if json.loads(files["oci-layout"]) != {"imageLayoutVersion": "1.0.0"}:
        fail("oci-layout has another version")
    used = {"oci-layout", "index.json"}

    def blob(reference):
        algorithm, _, digest = reference["digest"].partition(":")
        name = f"blobs/{algorithm}/{digest}"
        data = files.get(name)
        if data is None:
            fail(f"{name} is missing")
        if hashlib.new(algorithm, data).hexdigest() != digest:
            fail(f"{name} has another digest")
        if len(data) != reference["size"]:
            fail(f"{name} has another size")
        used.add(name)
        return data

    manifests = json.loads(files["index.json"])["manifests"]
    if len(manifests) != 1:
        fail("one manifest expected")
    manifest = json.loads(blob(manifests[0]))
    image = json.loads(blob(manifest["config"]))
    layers = [blob(layer) for layer in manifest["layers"]]
    tars = [inflate(layer) for layer in layers]
    if image["rootfs"]["diff_ids"] != ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]:
        fail("a layer is not the one that the configuration names")
    if set(files) != used:
        fail(f"nothing refers to {sorted(set(files) - used)}")
    compressed = sum(len(layer) for layer in layers)
    if compressed > MOST_COMPRESSED:
        fail(f"{compressed} bytes compressed, more than {MOST_COMPRESSED}")
    config = image["config"]
    if config.get("User", "0").split(":")[0] in ("0", "root", ""):
        fail("the image runs as root")
    if folder:
        for layer in layers:
            with open(folder + ".tar.gz", "wb") as file:
                file.write(layer)
            with tarfile.open(folder + ".tar.gz") as tar:
                tar.extractall(folder, numeric_owner=True)
        with open(folder + ".json", "w", encoding="utf-8") as file:
            json.dump(config, file)
    print(f"{compressed} bytes compressed, {sum(map(len, tars))} unpacked, user {config['User']}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
