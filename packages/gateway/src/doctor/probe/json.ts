/** JSON of a stranger: bounded in depth, alone or in server-sent events (HTML Living Standard §9.2). Pure. */

const maxDepth = 32;

/** The value; undefined where it is no JSON, or deeper than anything that walks over it should have to go. */
export function jsonIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text) || depthOf(text) > maxDepth) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first whole event that is the answer to a JSON-RPC request. */
export function jsonRpcAnswerIn(stream: string): unknown {
  for (const block of stream.split(/\r\n\r\n|\n\n|\r\r/).slice(0, -1)) {
    const data = block
      .split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).replace(/^ /, ''))
      .join('\n');
    const json = jsonIn(data);
    if (isObject(json) && ('result' in json || 'error' in json)) return json;
  }
  return undefined;
}

function depthOf(text: string): number {
  let [depth, deepest, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth -= 1;
  }
  return deepest;
}
