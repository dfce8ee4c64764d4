/** PCM as a WAV file of the RIFF format, to MP3 by LAME compiled to WebAssembly: 64 kbit/s, mono. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createMp3Encoder } from 'wasm-media-encoders';

export interface Pcm {
  readonly samples: Int16Array;
  /** Hertz. */
  readonly sampleRate: number;
}

const bitrate = 64;
const rates = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];

/** Reads mono, 16 bit. Sizes that a program wrote before it knew them are not believed. Undefined: it is no such file. */
export function readWav(bytes: Uint8Array): Pcm | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') return undefined;
  let sampleRate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (tag(at) === 'fmt ' && start + 16 <= bytes.length) {
      const [format, channels, bits] = [0, 2, 14].map((offset) => view.getUint16(start + offset, true));
      if (format !== 1 || channels !== 1 || bits !== 16) return undefined;
      sampleRate = view.getUint32(start + 4, true);
    }
    if (tag(at) === 'data') {
      const count = Math.floor(Math.min(size, bytes.length - start) / 2);
      const samples = Int16Array.from({ length: count }, (_, index) => view.getInt16(start + 2 * index, true));
      return rates.includes(sampleRate) ? { samples, sampleRate } : undefined;
    }
    at = start + size + (size % 2);
  }
  return undefined;
}

type Encoder = Awaited<ReturnType<typeof createMp3Encoder>>;
/** Compiling one takes longer than a clip; an idle one is used again. */
const idle: Encoder[] = [];

export async function encodeMp3({ samples, sampleRate }: Pcm, signal?: AbortSignal): Promise<Uint8Array> {
  const encoder = idle.pop() ?? (await createMp3Encoder());
  encoder.configure({ channels: 1, sampleRate, bitrate });
  const parts: Uint8Array[] = [];
  // A second of sound a turn: others of this process are served in between.
  for (let at = 0; at < samples.length; at += sampleRate) {
    const slice = Float32Array.from(samples.subarray(at, at + sampleRate), (sample) => sample / 0x8000);
    parts.push(Uint8Array.from(encoder.encode([slice]))); // a copy: the encoder's memory is used again
    await nextTurn();
    if (signal?.aborted) throw signal.reason; // this encoder is in the middle of a file: not given back
  }
  parts.push(Uint8Array.from(encoder.finalize()));
  idle.push(encoder);
  return Buffer.concat(parts);
}

/** An ID3 tag or a frame of MPEG audio, layer III: what every MP3 file begins with. */
export function isMp3(bytes: Uint8Array): boolean {
  const [first = 0, second = 0, third = 0] = bytes;
  const isId3 = first === 0x49 && second === 0x44 && third === 0x33;
  return bytes.length > 100 && (isId3 || (first === 0xff && (second & 0xe6) === 0xe2));
}
