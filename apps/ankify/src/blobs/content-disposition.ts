/** The `Content-Disposition` of a download (RFC 6266), with a name in any language (RFC 8187). */

/** `fallback`: for the few programs that know RFC 6266 no further; ASCII letters, digits, dots. */
export function attachment(fileName: string, fallback: string): string {
  return `attachment; filename="${fallback}"; filename*=UTF-8''${percentEncode(fileName)}`;
}

/** RFC 8187 §3.2.1: what `encodeURIComponent` leaves but a header parameter may not hold. */
function percentEncode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
