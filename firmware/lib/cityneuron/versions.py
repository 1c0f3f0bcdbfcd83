"""Which version is the newer one."""


def is_newer(version, than):
    """Whether a version such as 1.10.2 comes after another."""
    return _numbers(version) > _numbers(than)


def _numbers(version):
    found = []
    for part in version.split("."):
        digits = 0
        while digits < len(part) and part[digits].isdigit():
            digits += 1
        found.append(int(part[:digits] or 0))
    while found and found[-1] == 0:
        found.pop()
    return found
