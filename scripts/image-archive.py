#!/usr/bin/env python3
"""Writes an OCI archive of one layer: image-archive.py ROOT DOCKERFILE ARCHIVE ARCHITECTURE SECONDS.

ROOT is the root file system, SECONDS the time that every file and the image get. The configuration of the image comes
from the last stage of DOCKERFILE. Equal input gives equal bytes.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import shlex
import sys
import tarfile

MEDIA = "application/vnd.oci.image."
UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def nanoseconds(text):
    number = text.rstrip("mhs")
    return int(number) * UNITS[text[len(number):]]


def words(text):
    """The words of an instruction's array; a command for a shell would need one in the image."""
    if not text.startswith("["):
        sys.exit(f"image-archive.py: not an array: {text}")
    return json.loads(text)


def configuration(dockerfile):
    """The configuration that the instructions of the last stage give."""
    config = {"Env": [], "Labels": {}}
    with open(dockerfile, encoding="utf-8") as lines:
        for line in lines.read().replace("\\\n", " ").splitlines():
            name, _, text = line.strip().partition(" ")
            text = text.strip()
            if not name or name.startswith("#") or name in ("COPY", "RUN"):
                continue
            if name == "FROM":
                config = {"Env": [], "Labels": {}}
            elif name == "ENV":
                config["Env"] += shlex.split(text)
            elif name == "LABEL":
                config["Labels"].update(pair.split("=", 1) for pair in shlex.split(text))
            elif name == "USER":
                config["User"] = text
            elif name == "WORKDIR":
                config["WorkingDir"] = text
            elif name == "VOLUME":
                config.setdefault("Volumes", {})[text] = {}
            elif name == "EXPOSE":
                config.setdefault("ExposedPorts", {})[text + "/tcp"] = {}
            elif name == "STOPSIGNAL":
                config["StopSignal"] = text
            elif name == "ENTRYPOINT":
                config["Entrypoint"] = words(text)
            elif name == "CMD":
                config["Cmd"] = words(text)
            elif name == "HEALTHCHECK":
                # Docker's addition to the format; other engines ignore it.
                flags, _, command = text.partition("CMD ")
                check = {"Test": ["CMD"] + words(command.strip())}
                for flag in flags.split():
                    key, value = flag[2:].split("=")
                    if key == "retries":
                        check["Retries"] = int(value)
                    else:
                        check[key.title().replace("-", "")] = nanoseconds(value)
                config["Healthcheck"] = check
            else:
                sys.exit(f"image-archive.py: {dockerfile}: {name} is not supported")
    return config


def layer(root, config, seconds):
    """The tar of the root file system: volumes belong to the image's user, all else to root."""
    user, group = (int(part) for part in config["User"].split(":"))
    volumes = [path.strip("/") for path in config.get("Volumes", {})]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        names = []
        for folder, folders, files in os.walk(root):
            names += [os.path.relpath(os.path.join(folder, name), root) for name in folders + files]
        for name in sorted(names):
            entry = tar.gettarinfo(os.path.join(root, name), name)
            owned = any(name == volume or name.startswith(volume + "/") for volume in volumes)
            entry.uid, entry.gid = (user, group) if owned else (0, 0)
            entry.uname = entry.gname = ""
            entry.mtime = seconds
            if entry.isreg():
                with open(os.path.join(root, name), "rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)
    return out.getvalue()


def main(root, dockerfile, archive, architecture, seconds):
    seconds = int(seconds)
    blobs = {}

    def add(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": MEDIA + kind, "digest": "sha256:" + digest, "size": len(data)}

    def encoded(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    config = configuration(dockerfile)
    tar = layer(root, config, seconds)
    created = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    image = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
        "history": [{"created": created, "created_by": "image-archive.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MEDIA + "manifest.v1+json",
        "config": add("config.v1+json", encoded(image)),
        "layers": [add("layer.v1.tar+gzip", gzip.compress(tar, 9, mtime=0))],
    }
    reference = add("manifest.v1+json", encoded(manifest))
    reference["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    reference["platform"] = {"architecture": architecture, "os": "linux"}
    index = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": [reference]}

    files = {"blobs/sha256/" + digest: data for digest, data in blobs.items()}
    files["index.json"] = encoded(index)
    files["oci-layout"] = encoded({"imageLayoutVersion": "1.0.0"})
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as out:
        for folder in ("blobs", "blobs/sha256"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, seconds
            out.addfile(entry)
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), seconds
            out.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
