// Bytes as people read them: offset, hexadecimal, and the printable letters beside.

const LINE = 16;
const LIMIT = 1024;

/** Return {text, cut}: the dump, and the number of bytes shown when not all are, else 0. */
export function hexDump(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, LIMIT); at += LINE) {
    const part = [...bytes.subarray(at, Math.min(at + LINE, LIMIT))];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(LINE * 3)} ${letters}`);
  }
  return { text: lines.join("\n"), cut: bytes.length > LIMIT ? LIMIT : 0 };
}
