/** Files of a ZIP archive whose files are stored, not compressed, as the service's are. */

const LOCAL_HEADER = 0x04034b50;

/**
 * Read an archive.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Map<string, Uint8Array>} contents by name
 */
export function readZip(buffer) {
  const view = new DataView(buffer);
  const files = new Map();
  let at = 0;
  while (at + 30 <= buffer.byteLength && view.getUint32(at, true) === LOCAL_HEADER) {
    if (view.getUint16(at + 8, true) !== 0) throw new Error("a file of the archive is compressed");
    const size = view.getUint32(at + 18, true);
    const nameLength = view.getUint16(at + 26, true);
    const start = at + 30 + nameLength + view.getUint16(at + 28, true);
    files.set(new TextDecoder().decode(new Uint8Array(buffer, at + 30, nameLength)), new Uint8Array(buffer, start, size));
    at = start + size;
  }
  return files;
}
