/** The fixtures of the authorization server's records. */
import { fileURLToPath } from 'node:url';
import { type Release, releasesIn, shapesOf } from '../../../records/test/released.ts';
import { authKinds } from '../../src/gatehouse.ts';
import { describedAuthRecords } from '../../src/record-fields.ts';
import type { Credentials } from './every-kind.ts';

export const folder = fileURLToPath(new URL('./fixtures/', import.meta.url));

export interface AuthRelease extends Release {
  readonly credentials: Credentials;
}

export const releases = () => releasesIn<AuthRelease>(folder);

export const shapesNow = () => shapesOf(authKinds, describedAuthRecords);
