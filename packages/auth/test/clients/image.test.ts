/** Logos: four raster formats by their first bytes, bounded in bytes and pixels, and nothing else. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readLogo } from '../../src/authorization-server/clients/metadata-document/image.ts';

function build(text: string, length: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.write(text, 'latin1');
  write(bytes);
  return bytes;
}

const png = (width: number, height: number) =>
  build('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 40, (bytes) => {
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
  });
const gif = (width: number, height: number) =>
  build('GIF89a', 20, (bytes) => {
    bytes.writeUInt16LE(width, 6);
    bytes.writeUInt16LE(height, 8);
  });
const webp = (kind: 'VP8 ' | 'VP8L' | 'VP8X', width: number, height: number) =>
  build(`RIFF\0\0\0\0WEBP${kind}`, 40, (bytes) => {
    if (kind === 'VP8 ') {
      bytes.writeUInt16LE(width, 26);
      bytes.writeUInt16LE(height, 28);
    } else if (kind === 'VP8L') {
      bytes.writeUInt32LE(((width - 1) | ((height - 1) << 14)) >>> 0, 21);
    } else {
      bytes.writeUIntLE(width - 1, 24, 3);
      bytes.writeUIntLE(height - 1, 27, 3);
    }
  });
const jpeg = (width: number, height: number) =>
  Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]),
    Buffer.alloc(14),
    Buffer.from([0xff, 0xff, 0xc2, 0, 17, 8, height >> 8, height & 255, width >> 8, width & 255]),
    Buffer.alloc(10),
  ]);

it.each<[string, (width: number, height: number) => Buffer, string]>([
  ['PNG', png, 'image/png'],
  ['GIF', gif, 'image/gif'],
  ['WebP, lossy', (w, h) => webp('VP8 ', w, h), 'image/webp'],
  ['WebP, lossless', (w, h) => webp('VP8L', w, h), 'image/webp'],
  ['WebP, extended', (w, h) => webp('VP8X', w, h), 'image/webp'],
  ['JPEG', jpeg, 'image/jpeg'],
])('%s: up to 2,048 pixels a side', (_, picture, type) => {
  for (const [width, height] of [
    [1, 1],
    [64, 32],
    [2048, 2048],
  ] as const) {
    const bytes = picture(width, height);
    expect(readLogo(bytes)).toEqual({ type, base64: bytes.toString('base64') });
  }
  for (const [width, height] of [
    [2049, 1],
    [1, 2049],
    [16_000, 16_000],
  ] as const) {
    expect(readLogo(picture(width, height))).toBeUndefined();
  }
});

it('no width at all', () => {
  expect([png(0, 1), gif(1, 0), jpeg(0, 0)].map(readLogo)).toEqual([undefined, undefined, undefined]);
});

it.each([
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
  ['SVG with a declaration', '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'],
  ['HTML', '<!doctype html><script>alert(1)</script>'],
  ['BMP', `BM${' '.repeat(60)}`],
  ['ICO', `\0\0\x01\0${' '.repeat(60)}`],
  ['AVIF', `\0\0\0\x1cftypavif${' '.repeat(60)}`],
  ['a PNG without its header', `\x89PNG\r\n\x1a\n${' '.repeat(60)}`],
  ['another RIFF', `RIFF\0\0\0\0WAVEVP8X${' '.repeat(60)}`],
  ['an unknown WebP', `RIFF\0\0\0\0WEBPVP9 ${' '.repeat(60)}`],
  ['GIF of another year', `GIF88a${' '.repeat(60)}`],
  ['nothing', ''],
])('%s is refused', (_, text) => {
  expect(readLogo(Buffer.from(text, 'latin1'))).toBeUndefined();
});

it('over 64 KB is refused', () => {
  expect(readLogo(Buffer.concat([png(1, 1), Buffer.alloc(65_536 - 40)]))).toBeDefined();
  expect(readLogo(Buffer.concat([png(1, 1), Buffer.alloc(65_536 - 39)]))).toBeUndefined();
});

it('cut off or damaged anywhere, it is a picture or none', () => {
  const pictures = [png(9, 9), gif(9, 9), webp('VP8 ', 9, 9), webp('VP8L', 9, 9), webp('VP8X', 9, 9), jpeg(9, 9)];
  fc.assert(
    fc.property(fc.constantFrom(...pictures), fc.nat(60), fc.nat(60), fc.nat(255), (picture, cut, at, value) => {
      const bytes = Buffer.from(picture.subarray(0, Math.max(16, cut)));
      bytes[at % bytes.length] = value;
      expect(() => readLogo(bytes)).not.toThrow();
    }),
  );
});
