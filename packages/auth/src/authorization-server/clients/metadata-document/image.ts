/** A logo as we are willing to show it: one of four raster formats by its first bytes, and of a size no browser minds. */

export interface Logo {
  /** What the bytes are, whatever the server called them. */
  readonly type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  readonly base64: string;
}

/** Of a logo, as fetched. */
export const maxLogoBytes = 64 * 1024;
/** A few kilobytes can unpack into gigapixels in the browser of the person who is asked. */
const maxPixelsASide = 2048;

interface Picture {
  readonly type: Logo['type'];
  readonly width: number;
  readonly height: number;
}

/** Undefined: no picture that we show. SVG never is, being a program. */
export function readLogo(bytes: Buffer): Logo | undefined {
  if (bytes.length > maxLogoBytes || bytes.length < 16) return undefined;
  let picture: Picture | undefined;
  try {
    picture = png(bytes) ?? gif(bytes) ?? webp(bytes) ?? jpeg(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // cut off
    throw error;
  }
  if (!picture) return undefined;
  const fits = (side: number) => side >= 1 && side <= maxPixelsASide;
  if (!fits(picture.width) || !fits(picture.height)) return undefined;
  return { type: picture.type, base64: bytes.toString('base64') };
}

function png(bytes: Buffer): Picture | undefined {
  if (bytes.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n' || bytes.toString('latin1', 12, 16) !== 'IHDR') {
    return undefined;
  }
  return { type: 'image/png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function gif(bytes: Buffer): Picture | undefined {
  if (!/^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6))) return undefined;
  return { type: 'image/gif', width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
}

function webp(bytes: Buffer): Picture | undefined {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WEBP') return undefined;
  const type = 'image/webp';
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return { type, width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    case 'VP8L': {
      const bits = bytes.readUInt32LE(21);
      return { type, width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case 'VP8X':
      return { type, width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}

/** Segment by segment to the frame header (ITU T.81 §B.1, §B.2.2). */
function jpeg(bytes: Buffer): Picture | undefined {
  if (bytes.toString('latin1', 0, 3) !== '\xff\xd8\xff') return undefined;
  let offset = 2;
  while (offset < bytes.length) {
    if (bytes.readUInt8(offset) !== 0xff) return undefined;
    const marker = bytes.readUInt8(offset + 1);
    if (marker === 0xff) {
      offset += 1; // fill byte
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame)
      return { type: 'image/jpeg', height: bytes.readUInt16BE(offset + 5), width: bytes.readUInt16BE(offset + 7) };
    offset += 2 + Math.max(2, bytes.readUInt16BE(offset + 2));
  }
  return undefined;
}
