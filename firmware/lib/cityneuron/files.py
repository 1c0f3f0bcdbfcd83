"""Files that a power cut leaves as they were or as they are to be, never in between."""

import json
import os


def replace(path, *parts):
    """Write a whole file, text or bytes."""
    with open(path + ".new", "w" if isinstance(parts[0], str) else "wb") as file:
        for part in parts:
            file.write(part)
    os.rename(path + ".new", path)


def make_folders(path):
    """Make the folders that lead to a file."""
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass  # it is there; if not, opening the file will say so
        at = path.find("/", at + 1)


def exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def remove(path):
    """Remove a file or a folder with all that it holds; nothing happens when it is not there."""
    try:
        folder = os.stat(path)[0] & 0x4000
    except OSError:
        return
    if not folder:
        os.remove(path)
        return
    for name in os.listdir(path):
        remove(path + "/" + name)
    os.rmdir(path)


def read_object(path):
    """Return the JSON object that a file holds; an empty one when there is none, or none that makes sense."""
    try:
        with open(path) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if type(found) is dict else {}
