const encoder = new TextEncoder();

/** Node's, which counts without encoding; other runtimes may have none. */
const buffer: { byteLength(text: string): number } | undefined = Reflect.get(globalThis, "Buffer");

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return buffer ? buffer.byteLength(text) : encoder.encode(text).length;
}
