/** The shapes of the authorization server's records do not change by accident. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shapesConformance } from '../../../records/test/conformance-shapes.ts';
import { rowsOfEveryKind } from './every-kind.ts';
import { releases, shapesNow } from './releases.ts';

shapesConformance({
  releases: releases(),
  now: shapesNow(),
  command: 'node packages/auth/test/records/make-fixture.ts',
  async store() {
    const folder = mkdtempSync(join(tmpdir(), 'shapes-'));
    try {
      return (await rowsOfEveryKind(join(folder, 'records.db'))).rows;
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
});
