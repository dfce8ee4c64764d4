/** A file of the person's as text, whatever program saved it. */

export const maxFileBytes = 500_000;
export const fileTypes = '.txt,.csv,.tsv,.md,.markdown,text/plain,text/csv,text/markdown,text/tab-separated-values';

export type ReadFile = { readonly text: string; readonly name: string } | { readonly fault: 'fileWrong' | 'fileLarge' };

export async function readTextFile(file: File): Promise<ReadFile> {
  if (file.size > maxFileBytes) return { fault: 'fileLarge' };
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = decoded(bytes);
  if (text.includes('\0') || bytes.length === 0) return { fault: 'fileWrong' };
  return { text, name: file.name.replace(/\.[^.]+$/, '').trim() };
}

function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // What spreadsheets in western Europe save as CSV.
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
