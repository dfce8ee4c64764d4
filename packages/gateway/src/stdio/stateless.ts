/** A process that speaks MCP 2026-07-28, or not: found out by asking it, and what it says without being asked. */
import { onlyWork, statelessParams, statelessRevision, within } from './backend.ts';
import { type Connection, subscriptionIdKey } from './connection.ts';
import { refuse } from './session.ts';
import { changed, membersIn, type ServerMessage, stringIn, withMeta } from './wire.ts';

/** Rejects with words where it does not say in time. */
export async function speaksStateless(connection: Connection, seconds: number): Promise<boolean> {
  const { members } = await within(seconds, connection.ask('server/discover', statelessParams));
  if (members.has('result')) return true;
  const error = membersIn(members.get('error'));
  // It knows the form, and no revision of ours: the clients that it does know shall have it.
  if (error.get('code') !== '-32022') return false;
  const supported: unknown = JSON.parse(membersIn(error.get('data')).get('supported') ?? '[]');
  return Array.isArray(supported) && supported.some((one) => typeof one === 'string' && one >= statelessRevision);
}

/** What belongs to a subscription goes there; what belongs to no request by name goes to the one that alone it can be about, or to nobody. */
export function statelessMessage(connection: Connection, message: ServerMessage): void {
  if (message.kind === 'request') {
    // It asks in its answer, `input_required` (SEP-2322).
    refuse(connection, message.id as string, 'This client cannot be asked.', -32601);
    return;
  }
  const params = membersIn(message.members.get('params'));
  const subscription = membersIn(params.get('_meta')).get(subscriptionIdKey);
  if (subscription === undefined) {
    onlyWork(connection)?.answer.stream.send(changed(message.members, {}));
    return;
  }
  const request = connection.inFlight.get(Number(stringIn(subscription) ?? subscription));
  if (!request || request.leftAt !== undefined) return;
  request.answer.stream.send(
    changed(message.members, { params: withMeta(params, { [subscriptionIdKey]: request.id }) }),
  );
}
