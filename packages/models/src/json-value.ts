/** The JSON value in a model's text. */

/**
 * Undefined: there is none. A fence around it (` ```json `) is taken off, because models that cannot be held to a schema
 * like to write one; prose around it is not searched for JSON.
 */
export function jsonValue(text: string): unknown {
  const trimmed = text.trim();
  const fenced = /^```(?:json)?[ \t]*\n([\s\S]*)\n[ \t]*```$/i.exec(trimmed)?.[1];
  try {
    return JSON.parse(fenced ?? trimmed);
  } catch {
    return undefined; // the caller asks again or gives up; the text is there to be looked at
  }
}
