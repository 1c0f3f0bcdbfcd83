"""The REPL of a virtual board: friendly, raw and raw paste, as mpremote and a terminal expect them.

The unix port has one for terminals only. This one follows MicroPython's documentation of the raw REPL.
"""

import sys

import bridge

_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D, _CTRL_E, _BACKSPACE, _DELETE = 1, 2, 3, 4, 5, 8, 127
_WINDOW_BYTES = 128
_RAW_BANNER = "raw REPL; CTRL-B to exit\r\n"


class Repl:
    """Serves the console until a soft reset is asked for; `namespace` is that of boot.py and main.py."""

    def __init__(self, namespace, banner):
        self._namespace = namespace
        self._banner = banner
        self._write = sys.stdout.write

    def serve(self, raw):
        """Return whether the REPL that asked for the soft reset was the raw one."""
        bridge.mode(bridge.INPUT)
        while True:
            if raw:
                if self._raw():
                    return True
            elif self._friendly():
                return False
            raw = not raw

    def run(self, code, mode, mode_after):
        """Run compiled code, which Ctrl-C interrupts. Returns the exception that ended it, or None."""
        ended = None
        bridge.mode(mode)
        try:
            exec(code, self._namespace)
        except BaseException as error:
            ended = error
        bridge.mode(mode_after)
        return ended

    def _byte(self):
        while True:
            try:
                read = sys.stdin.buffer.read(1)
            except KeyboardInterrupt:
                continue
            if not read:
                sys.exit(0)  # the host went away
            return read[0]

    def _raw(self):
        """Return True for a soft reset, False for the friendly REPL."""
        line = bytearray()
        self._write(_RAW_BANNER + ">")
        while True:
            byte = self._byte()
            if byte == _CTRL_A and len(line) == 2 and line[0] == _CTRL_E:
                if self._paste(line[1]):
                    return True
            elif byte == _CTRL_A:
                self._write(_RAW_BANNER)
            elif byte == _CTRL_B:
                self._write("\r\n")
                return False
            elif byte == _CTRL_D:
                self._write("OK")
                if not line:
                    self._write("\r\n")
                    return True
                if self._command(line):
                    return True
            elif byte != _CTRL_C:
                line.append(byte)
                continue
            line = bytearray()
            if byte != _CTRL_C:
                self._write(">")

    def _paste(self, kind):
        """Take a command in raw paste mode, window by window, and run it. Returns True for a soft reset."""
        if kind != 0x41:
            self._write("R\x00")
            return False
        sys.stdout.buffer.write(b"R\x01" + bytes((_WINDOW_BYTES, 0)) + b"\x01")
        source, left = bytearray(), _WINDOW_BYTES
        while True:
            byte = self._byte()
            if byte == _CTRL_D:
                self._write("\x04")
                return self._command(source)
            if byte == _CTRL_C:
                self._write("\x04\x04KeyboardInterrupt: \r\n\x04")
                return False
            source.append(byte)
            left -= 1
            if not left:
                self._write("\x01")
                left = _WINDOW_BYTES

    def _command(self, source):
        """Run a command of the raw REPL: output, EOT, traceback, EOT. Returns True for a soft reset."""
        error = self._compiled_and_run(source, "exec", bridge.COMMAND, bridge.INPUT)
        self._write("\x04")
        if error is not None and not isinstance(error, SystemExit):
            sys.print_exception(error)
        self._write("\x04")
        return isinstance(error, SystemExit)

    def _compiled_and_run(self, source, kind, mode, mode_after):
        try:
            code = compile(str(source, "utf-8"), "<stdin>", kind)
        except (SyntaxError, UnicodeError, MemoryError) as error:
            return error
        return self.run(code, mode, mode_after)

    def _friendly(self):
        """Return True for a soft reset, False for the raw REPL. One statement a line."""
        self._write(self._banner + ">>> ")
        line = bytearray()
        while True:
            byte = self._byte()
            if byte == _CTRL_A:
                self._write("\r\n")
                return False
            if byte in (_CTRL_B, _CTRL_C):
                self._write("\r\n" + (self._banner if byte == _CTRL_B else "") + ">>> ")
                line = bytearray()
            elif byte == _CTRL_D and not line:
                self._write("\r\n")
                return True
            elif byte in (_BACKSPACE, _DELETE):
                if line:
                    line = line[:-1]
                    self._write("\b \b")
            elif byte == 13 or byte == 10:
                self._write("\r\n")
                if self._statement(line):
                    return True
                line = bytearray()
                self._write(">>> ")
            elif byte >= 32:
                line.append(byte)
                sys.stdout.buffer.write(bytes((byte,)))

    def _statement(self, line):
        if not line.strip():
            return False
        error = self._compiled_and_run(line, "single", bridge.PROGRAM, bridge.QUIET)
        if isinstance(error, SystemExit):
            return True
        if error is not None:
            sys.print_exception(error)
        bridge.mode(bridge.INPUT)
        return False
