/** One range of bytes (RFC 9110 §14): browsers ask for the parts of a sound in which somebody jumps about. */
import { Problem } from './problem.ts';
import type { Answer } from './route.ts';

/** Several ranges, other units and what is malformed are ignored, as §14.2 allows: the answer is the whole. */
export function rangeAnswer(bytes: Uint8Array, range: string | undefined, headers: Record<string, string>): Answer {
  const all = { ...headers, 'accept-ranges': 'bytes' };
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? [];
  if (from === '' && to === '') return { status: 200, headers: all, bytes };
  if (from !== '' && to !== '' && Number(to) < Number(from)) return { status: 200, headers: all, bytes };
  const start = from === '' ? Math.max(0, bytes.length - Number(to)) : Number(from);
  const end = from === '' || to === '' ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1);
  if (start > end) {
    throw new Problem('range-not-satisfiable', `The recording has ${bytes.length} bytes.`, {
      headers: { 'content-range': `bytes */${bytes.length}` },
    });
  }
  return {
    status: 206,
    headers: { ...all, 'content-range': `bytes ${start}-${end}/${bytes.length}` },
    bytes: bytes.subarray(start, end + 1),
  };
}
