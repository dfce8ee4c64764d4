/** Where a command would be found, as `execvp` looks for it: by its path, or in the folders of PATH. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** Undefined: nowhere. On Windows it is not looked for: extensions are the system's to try. */
export function programAt(command: string, cwd = '.', path = process.env.PATH ?? ''): string | undefined {
  if (process.platform === 'win32') return command;
  const places = command.includes('/')
    ? [resolve(cwd, command)]
    : path.split(delimiter).map((folder) => join(folder, command));
  return places.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
