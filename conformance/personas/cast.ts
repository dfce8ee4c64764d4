/** Every persona, and one of them by its name. */
import { editorPersonas } from './editor-personas.ts';
import { hostedPersonas } from './hosted-personas.ts';
import type { Persona } from './persona.ts';
import { sdkPersonas } from './sdk-personas.ts';

export const personas: readonly Persona[] = [...sdkPersonas, ...editorPersonas, ...hostedPersonas];

export function persona(name: string): Persona {
  const found = personas.find((one) => one.name === name);
  if (!found) throw new Error(`no persona is called ${name}`);
  return found;
}
